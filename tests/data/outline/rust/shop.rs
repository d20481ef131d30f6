//! A shop.
use crate::prices::{self, Price as P, deep::{Low, high::*}};
use super::Base;
pub use self::inner::Thing;
extern crate other as o;
pub mod orders;
mod hidden;

/// An order.
///
/// More.
#[derive(Debug, Clone)]
pub struct Order<T>
where
    T: Clone,
{
    pub id: u32,
    items: Vec<T>,
}

pub struct Pair(pub u32, String);

pub enum State {
    New,
    Paid { at: u64 },
    Failed(String),
}

pub trait Keep: Base + Send + 'static {
    type Item;
    const LIMIT: usize = 3;
    fn keep(&mut self, order: Order<u8>) -> Result<(), Error>;
    fn both(&self) {}
}

impl<T: Clone> Order<T> {
    pub fn new(id: u32) -> Self {
        todo!()
    }

    fn private(&self) {}
}

impl<T: Clone> fmt::Display for Order<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

pub(crate) async fn place<'a, T>(
    order: &'a Order<T>,
    late: bool,
) -> Result<bool, Error> {
    use std::io::Read;
    Ok(late)
}

pub type Shelf = Vec<Order<u8>>;
pub const MAX: usize = 10;
static mut COUNT: u32 = 0;

#[macro_export]
macro_rules! order {
    ($id:expr) => {
        Order::new($id)
    };
}

pub mod inner {
    use super::Order;
    pub struct Thing;
    pub fn helper() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use super::super::far::Away;

    #[test]
    fn works() {}
}

fn broken( {
