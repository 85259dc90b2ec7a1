"""Commands by forms (XEP-0050), as the library runs them."""

import asyncio
import os

from slixmpp.exceptions import IqError

from device import DOMAIN, OTHER, PASSWORD, PATIENCE, Device, new_account, new_name
from together import online

ADMIN = "http://jabber.org/protocol/admin#"
OWN = "urn:metronome:commands:"


async def admin(transport):
    """A device of somebody who administers the domain."""
    user = await new_account("judy")
    command = [os.environ["XMPP_CTL"], "--socket", f"{os.environ['XMPP_DATA']}/control.sock", "user", "role"]
    made = await asyncio.create_subprocess_exec(
        *command, f"{user}@{DOMAIN}", "admin", stdout=asyncio.subprocess.DEVNULL
    )
    assert await made.wait() == 0, f"{user} does not become an administrator"
    return Device(user, "phone", transport)


async def listed(device, jid):
    """The nodes of the commands that `device` may run at `jid`."""
    items = (await device.plugin["xep_0050"].get_commands(jid))["disco_items"]["items"]
    return {node for _, node, _ in items}


async def run(device, jid, node, values=None):
    """Runs a command as the library does: each form is filled in as its fields allow. Returns the last answer."""
    done = asyncio.get_running_loop().create_future()

    def fail(iq, session):
        if not done.done():
            done.set_exception(IqError(iq))

    def step(iq, session):
        command = iq["command"]
        if command["status"] != "executing":
            done.set_result(command)
            return
        session["payload"], session["next"] = None, step
        form = command["form"]
        fields = form.get_fields()
        if values and set(values) <= set(fields):
            form.reply()
            form.set_values({var: values.get(var, field["value"]) for var, field in fields.items()})
            session["payload"] = form
        if "next" in command["actions"]:
            device.plugin["xep_0050"].continue_command(session)
        else:
            device.plugin["xep_0050"].complete_command(session)

    device.plugin["xep_0050"].start_command(jid, node, {"next": step, "error": fail})
    return await asyncio.wait_for(done, PATIENCE)


def notes(command):
    """What the answer tells: kinds and texts."""
    return [(kind, text) for kind, text in command["notes"]]


async def the_list_of_commands_is_that_of_who_asks(transport):
    async with online(await admin(transport), Device(await new_account("heidi"), "phone", OTHER[transport])) as (judy, heidi):
        mine, others = await listed(judy, DOMAIN), await listed(heidi, DOMAIN)
        assert f"{ADMIN}add-user" in mine and f"{ADMIN}add-user" not in others, (mine, others)
        assert others and others < mine, (mine, others)
        assert await listed(heidi, heidi.bare) == others
        try:
            await run(heidi, DOMAIN, f"{OWN}session-list")
        except IqError as refused:
            assert refused.condition == "forbidden", refused.condition
        else:
            raise AssertionError("everybody learns who is there")


async def an_account_is_added_and_deleted_by_forms(transport):
    async with online(await admin(transport)) as (judy,):
        user = new_name("mallory")
        jid = f"{user}@{DOMAIN}"
        values = {"accountjid": jid, "password": PASSWORD, "password-verify": PASSWORD}
        added = await run(judy, DOMAIN, f"{ADMIN}add-user", values)
        assert notes(added) == [("info", f"{jid} was added")], notes(added)
        async with online(Device(user, "phone", OTHER[transport])):
            sessions = await run(judy, DOMAIN, f"{OWN}session-list")
            rows = sessions["form"].get_items()
            assert any(row["jid"] == f"{jid}/phone" for row in rows), rows
        deleted = await run(judy, DOMAIN, f"{ADMIN}delete-user", {"accountjids": [jid]})
        assert notes(deleted) == [("info", f"{jid} was deleted")], notes(deleted)


TESTS = (
    the_list_of_commands_is_that_of_who_asks,
    an_account_is_added_and_deleted_by_forms,
)
