package org.example.shop

import org.example.prices.Price
import org.example.util.{Round, Cut => Slice}
import org.example.all._

/** Sells. */
class Shop[T](val limit: Int) extends Store[T] with Keeper {
  val count: Int = 0

  def place(order: Order, late: Boolean): Boolean = late
}

object Shop {
  def make: Shop[Int] = null
}

trait Keeper {
  def keep(order: Order): Unit
}

case class Point(x: Int, y: Int)
