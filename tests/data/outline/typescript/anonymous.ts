class Q {}
export = Q;
export default {
  name: "component",
};
