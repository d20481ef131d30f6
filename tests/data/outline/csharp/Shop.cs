using System;
using static Example.Util;
using Price = Example.Prices.Price;

namespace Example.Shop
{
    /// <summary>Sells.</summary>
    public class Shop<T> : Store<T>, IKeeper
    {
        private int count, limit = 3;
        public string Name { get; set; }

        public Shop(int limit) { }

        public async Task<bool> Place(Order order, bool late = false) => late;
        private void Hidden() { }
    }

    public interface IKeeper { void Keep(Order order); }
    public record Point(int X, int Y);
    public enum State { New, Paid }
    struct Line { public int Number; }
}
