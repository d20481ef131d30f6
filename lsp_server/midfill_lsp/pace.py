"""How long to wait before asking the model."""

from midfill_lsp.settings import Settings


def delay_s(settings: Settings, *, by_hand: bool, fresh_line: bool, since_change_s: float) -> float:
    """Seconds to wait; 0 when nothing is gained by waiting.

    The debounce counts from the last change, and the wait that the client declares to do itself is taken off:
    VS Code asks 21-51 ms after the change it has sent at once, Neovim's built-in client sends both after 200 ms.
    """
    if by_hand or fresh_line:
        return 0.0
    return max(0.0, settings.debounce_s - max(since_change_s, settings.client_wait_s))
