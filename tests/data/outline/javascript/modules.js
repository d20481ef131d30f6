const { a, b: c } = require("./ab");
const whole = require('./whole');
var unrelated = load("./x");

/**
 * A cart.
 */
class Cart {
  total = 0;

  constructor() {
    this.items = [];
    this.price = new Price();
  }

  add(item) {
    this.late = item;
  }
}

module.exports = {
  Cart,
  renamed: unrelated,
  inline(x) { return x; },
  arrow: (x) => x,
  ...require("./spread"),
};

exports.named = function (q) {};
module.exports.value = 3;
exports.alias = Cart;
