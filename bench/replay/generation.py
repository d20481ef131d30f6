"""The tokens of one call in their time, for the model that is served and for the one in virtual time."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from bench.replay.chance import chance
from bench.replay.plan import Call, Plan


def fails(plan: Plan, number: int) -> bool:
    """Whether the profile makes this call fail."""
    return chance(plan.seed, "error", number).random() < plan.profile.errors


async def generate(
    plan: Plan, call: Call, number: int, tokens: list[str], clock: Callable[[], float]
) -> AsyncGenerator[str, None]:
    """Pieces of text, which `call` remembers. Closing this ends the generation where it waits."""
    profile = plan.profile
    random = chance(plan.seed, "jitter", number)
    call.cancelled = True
    try:
        await asyncio.sleep(profile.first_s * random.uniform(1 - profile.jitter, 1 + profile.jitter))
        for group in [[token] for token in tokens] if profile.token_s else [tokens]:
            await asyncio.sleep(profile.token_s * random.uniform(1 - profile.jitter, 1 + profile.jitter))
            call.tokens += len(group)
            call.text += "".join(group)
            yield "".join(group)
        call.cancelled = False
    finally:
        call.ended_s = clock()
