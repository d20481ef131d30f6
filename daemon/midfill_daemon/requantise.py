"""Rewrites a GGUF with Q4_1 tensors as Q8_0, which llama.cpp reads prompts from nearly twice as fast."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from midfill_daemon import errors


def q4_1_to_q8_0(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    """Everything else is copied. The same input gives the same bytes, whichever gguf and numpy are installed."""
    gguf = _gguf()
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, str(reader.fields["general.architecture"].contents()))
    _copy_metadata(gguf, reader, writer)
    for number, tensor in enumerate(reader.tensors, 1):
        data, kind = _converted(gguf, tensor)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
        progress(number, len(reader.tensors))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _gguf() -> Any:
    try:
        import gguf
    except ImportError as exc:
        raise errors.ModelMissing("this model needs the embedded engine: pip install 'midfill[embedded]'") from exc
    return gguf


def _copy_metadata(gguf: Any, reader: Any, writer: Any) -> None:
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue  # The writer makes these itself.
        value, kind = field.contents(), field.types[0]
        if field.name == "general.file_type":
            value = int(gguf.LlamaFileType.MOSTLY_Q8_0)
        element = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, value, kind, element)


def _converted(gguf: Any, tensor: Any) -> tuple[Any, Any]:
    old, new = gguf.GGMLQuantizationType.Q4_1, gguf.GGMLQuantizationType.Q8_0
    if tensor.tensor_type != old:
        return tensor.data, tensor.tensor_type
    return gguf.quants.quantize(gguf.quants.dequantize(tensor.data, old), new), new
