"""slixmpp against the server: one line `ok NAME` or `not ok NAME` per test, then `done N`."""

import asyncio
import sys
import traceback

import accounts
import archive
import blocking
import chat
import commands
import components
import contacts
import devices
import personal
import pubsub
import queries
import rooms
import transfers
from device import DIRECT_TLS, STARTTLS

TESTS = (
    chat.TESTS + contacts.TESTS + accounts.TESTS + queries.TESTS + devices.TESTS + blocking.TESTS + commands.TESTS + archive.TESTS
    + components.TESTS + pubsub.TESTS + personal.TESTS + rooms.TESTS + transfers.TESTS
)


def keep_quiet_about_abandoned_tasks(loop, context):
    """slixmpp leaves a task behind at each disconnect; asyncio's remark about it tells nothing about the server."""
    if "Task was destroyed" not in context.get("message", ""):
        loop.default_exception_handler(context)


async def main():
    asyncio.get_running_loop().set_exception_handler(keep_quiet_about_abandoned_tasks)
    failed = 0
    for transport in (STARTTLS, DIRECT_TLS):
        for test in TESTS:
            name = f"{test.__name__} over {transport}"
            try:
                await asyncio.wait_for(test(transport), 120)
            except Exception:  # every failure of a test is one line and its trace
                failed += 1
                print(f"not ok {name}", flush=True)
                traceback.print_exc(file=sys.stdout)
            else:
                print(f"ok {name}", flush=True)
    print(f"done {len(TESTS) * 2}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main()) else 0)
