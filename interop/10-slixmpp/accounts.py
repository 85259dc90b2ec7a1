"""In-band registration, change of the password and removal of the account (XEP-0077)."""

from slixmpp.exceptions import IqError

from device import DOMAIN, OTHER, PASSWORD, Device, new_account, new_name
from together import befriend, online


# What servers want of a new password.
STRONG = "Correct Horse 7"


class Newcomer(Device):
    """A device that makes its account before it logs in."""

    def __init__(self, user, transport, password=STRONG):
        super().__init__(user, "phone", transport, password)
        self.form, self.refused = None, None
        self.add_event_handler("register", self._register)

    async def _register(self, form):
        self.form = form["register"]
        request = self.Iq()
        request["type"] = "set"
        request["register"]["username"] = self.boundjid.user
        request["register"]["password"] = self.password
        try:
            await request.send()
        except IqError as error:
            self.refused = error.condition


async def login_fails(user, transport, password):
    """Whether the server refuses this password."""
    device = Device(user, "phone", transport, password)
    try:
        await device.log_in()
    except PermissionError:
        return True
    finally:
        await device.go_offline()
    return False


async def refusal_of(newcomer):
    """Why the server makes no account for this device."""
    try:
        await newcomer.log_in()
    except PermissionError:
        return newcomer.refused
    finally:
        await newcomer.go_offline()
    raise AssertionError(f"{newcomer.bare} logged in")


async def an_account_is_made_before_the_login(transport):
    user = new_name("erin")
    async with online(Newcomer(user, transport)) as (erin,):
        assert {"username", "password"} <= erin.form["fields"], erin.form
        assert erin.refused is None, erin.refused
        assert erin.boundjid.bare == f"{user}@{DOMAIN}", erin.boundjid
        assert (await erin.plugin["xep_0077"].get_registration())["register"]["registered"]
    async with online(Device(user, "laptop", OTHER[transport], STRONG)) as (erin,):
        async with online(Device("alice", "phone", transport)) as (alice,):
            alice.say(erin.bare, "welcome")
            assert (await erin.hear())["body"] == "welcome"


async def a_name_is_given_once(transport):
    user = await new_account("erin")
    assert await refusal_of(Newcomer(user, transport)) == "conflict"
    assert await login_fails(user, transport, STRONG)


async def a_weak_password_is_refused(transport):
    user = new_name("erin")
    assert await refusal_of(Newcomer(user, transport, "abc")) == "not-acceptable"
    assert await login_fails(user, transport, "abc")
    user = await new_account("erin")
    async with online(Device(user, "phone", transport)) as (erin,):
        try:
            await erin.plugin["xep_0077"].change_password("abc")
        except IqError as error:
            assert error.condition == "not-acceptable", error.condition
        else:
            raise AssertionError("a weak password was taken")
    async with online(Device(user, "phone", transport)):
        pass


async def a_changed_password_is_the_only_one(transport):
    user = await new_account("erin")
    async with online(Device(user, "phone", transport)) as (erin,):
        await erin.plugin["xep_0077"].change_password(STRONG, jid=DOMAIN)
        await erin.settle()
    assert await login_fails(user, transport, PASSWORD)
    async with online(Device(user, "phone", transport, STRONG)):
        pass


async def a_removed_account_is_gone_for_its_contacts_too(transport):
    user = await new_account("erin")
    friend = Device(await new_account("frank"), "phone", OTHER[transport])
    async with online(friend):
        async with online(Device(user, "phone", transport)) as (erin,):
            await befriend(erin, friend)
            await erin.plugin["xep_0077"].cancel_registration()
        await friend.see(erin.full, "unavailable")
        await friend.contact(erin.bare, subscription="none")
        assert await login_fails(user, transport, PASSWORD)
        async with online(Newcomer(user, transport)) as (another,):
            assert another.refused is None, another.refused
            assert not another.contacts, another.contacts


TESTS = (
    an_account_is_made_before_the_login,
    a_name_is_given_once,
    a_weak_password_is_refused,
    a_changed_password_is_the_only_one,
    a_removed_account_is_gone_for_its_contacts_too,
)
