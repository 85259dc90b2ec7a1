"""How the unpacked programs of Prosody and ejabberd are run in the foreground, and how accounts get into their stores.

Called by the comparison and by the tests of federation; what they are to do stands in configurations that the callers write.
"""

import hashlib
import hmac
from pathlib import Path

import packages

Program = tuple[list[str], dict[str, str]]


def prosody(root: Path, folder: Path) -> Program:
    """The command and what to add to the environment; it reads `prosody.cfg.lua` in `folder`."""
    usr, libraries = root / "usr", packages.libraries(root)
    # Without this folder it complains about certificates on each start.
    (folder / "certs").mkdir(exist_ok=True)
    # The packaged launcher has the paths of an installation compiled in.
    launcher = (usr / "bin/prosody").read_text()
    for name, value in {
        "CFG_SOURCEDIR": f"{usr}/lib/prosody",
        "CFG_CONFIGDIR": f"{folder}",
        "CFG_PLUGINDIR": f"{usr}/lib/prosody/modules/",
        "CFG_DATADIR": f"{folder}/data",
    }.items():
        start = launcher.index(f"\n{name}='") + 1
        launcher = launcher[:start] + f"{name}='{value}'" + launcher[launcher.index(";", start) :]
    (folder / "prosody.lua").write_text(launcher)
    lua = usr / "share/lua/5.4"
    return [str(usr / "bin/lua5.4"), "prosody.lua", "-F", "--config", f"{folder}/prosody.cfg.lua"], {
        "LUA_PATH": f"{lua}/?.lua;{lua}/?/init.lua;;",
        "LUA_CPATH": f"{libraries}/lua/5.4/?.so;;",
        "LD_LIBRARY_PATH": str(libraries),
    }


def prosody_accounts(folder: Path, domain: str, password: str, count: int) -> None:
    """Writes the files of mod_auth_internal_hashed for u1 to uN; all share one salt, which no login notices."""
    salt, iterations = "c0ffee00-0000-4000-8000-000000000000", 10_000
    salted = hashlib.pbkdf2_hmac("sha1", password.encode(), salt.encode(), iterations)
    stored = hashlib.sha1(hmac.digest(salted, b"Client Key", "sha1")).hexdigest()
    server = hmac.digest(salted, b"Server Key", "sha1").hex()
    text = (
        f'return {{\n\t["iteration_count"] = {iterations};\n\t["salt"] = "{salt}";\n'
        f'\t["stored_key"] = "{stored}";\n\t["server_key"] = "{server}";\n}};\n'
    )
    # The folder's name is the domain's, with what is no letter or digit in hexadecimals.
    encoded = "".join(c if c.isascii() and c.isalnum() else f"%{ord(c):02x}" for c in domain)
    accounts = folder / "data" / encoded / "accounts"
    accounts.mkdir(parents=True)
    for number in range(1, count + 1):
        (accounts / f"u{number}.dat").write_text(text)


def ejabberd(root: Path, folder: Path, code: str) -> Program:
    """The command and what to add to the environment; it reads `ejabberd.yml` in `folder`. Erlang's `code` runs once it has begun to start."""
    libraries, erlang = packages.libraries(root), root / "usr/lib/erlang"
    runtime = next(erlang.glob("erts-*"))
    command = [str(runtime / "bin/erlexec"), "-noinput", "-boot", str(erlang / "bin/start_clean")]
    # The packaged ejabberdctl starts it with these two; no node name, hence no epmd.
    command += ["+K", "true", "+P", "250000", "-mnesia", "dir", f'"{folder}/mnesia"']
    command += ["-s", "ejabberd", "-eval", code]
    return command, {
        "ROOTDIR": str(erlang),
        "BINDIR": str(runtime / "bin"),
        "EMU": "beam",
        "PROGNAME": "erl",
        "ERL_LIBS": str(libraries),
        "ERL_CRASH_DUMP": f"{folder}/crash.dump",
        "EJABBERD_CONFIG_PATH": f"{folder}/ejabberd.yml",
        "EJABBERD_LOG_PATH": f"{folder}/ejabberd.log",
        "LD_LIBRARY_PATH": str(libraries),
    }


def ejabberd_accounts(folder: Path, domain: str, password: str, count: int) -> str:
    """Erlang: registers u1 and gives all others a copy of its row, then says with a file `ready` that the server is."""
    return f"""
        {{ok, _}} = application:ensure_all_started(ejabberd),
        _ = ejabberd_auth:try_register(<<"u1">>, <<"{domain}">>, <<"{password}">>),
        [Row] = mnesia:dirty_read(passwd, {{<<"u1">>, <<"{domain}">>}}),
        [mnesia:dirty_write(passwd, setelement(2, Row, {{<<"u", (integer_to_binary(N))/binary>>, <<"{domain}">>}}))
            || N <- lists:seq(2, {count})],
        file:write_file("{folder}/ready", <<"ok">>).
    """
