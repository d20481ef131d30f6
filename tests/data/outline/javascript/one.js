module.exports = class Only extends Base {
  run() {}
};
