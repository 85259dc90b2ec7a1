"""What several tests do: devices that are online for a while, and people who know each other."""

import contextlib


@contextlib.asynccontextmanager
async def online(*devices):
    """The devices, online while the block runs."""
    try:
        for device in devices:
            await device.come_online()
        yield devices
    finally:
        for device in devices:
            if device.is_connected():
                await device.go_offline()


async def befriend(one, other):
    """Both see each other's presence from now on: one asks, the other allows it and asks back."""
    one.ask(other)
    await other.see(one.bare, "subscribe")
    other.let_in(one)
    await one.see(other.bare, "subscribed")
    other.ask(one)
    await one.see(other.bare, "subscribe")
    one.let_in(other)
    await other.see(one.bare, "subscribed")
    await one.contact(other.bare, subscription="both")
    await other.contact(one.bare, subscription="both")
