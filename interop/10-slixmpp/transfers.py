"""Files from one person to another, through the proxy of the server (XEP-0065)."""

import asyncio

from device import DOMAIN, PATIENCE
from queries import two_friends
from together import befriend, online

FILE = bytes(range(256)) * 4096


async def a_file_goes_through_the_proxy(transport):
    async with online(*await two_friends(transport)) as (grace, heidi):
        await befriend(grace, heidi)
        bytestreams = grace.plugin["xep_0065"]
        proxies = await bytestreams.discover_proxies()
        assert [str(proxy) for proxy in proxies] == [f"proxy.{DOMAIN}"], proxies
        # The library accepts nothing by itself.
        heidi.plugin["xep_0065"].auto_accept = True
        received, over, streams = bytearray(), asyncio.Event(), asyncio.Queue()
        heidi.add_event_handler("socks5_stream", streams.put_nowait)
        heidi.add_event_handler("socks5_data", received.extend)
        heidi.add_event_handler("socks5_closed", lambda _: over.set())
        answered = asyncio.Queue()
        grace.add_event_handler("socks5_data", answered.put_nowait)
        out = await bytestreams.handshake(heidi.full, timeout=PATIENCE)
        back = await asyncio.wait_for(streams.get(), PATIENCE)
        await back.write(b"go on")
        assert await asyncio.wait_for(answered.get(), PATIENCE) == b"go on"
        await out.write(FILE)
        out.transport.write_eof()
        await asyncio.wait_for(over.wait(), PATIENCE)
        assert bytes(received) == FILE, f"{len(received)} bytes"


TESTS = (a_file_goes_through_the_proxy,)
