import React, { useState } from "react";

export default function View({ title }) {
  const [open, setOpen] = useState(false);
  return <div title={title}>{open}</div>;
}

export const Row = ({ item }) => <li>{item}</li>;
