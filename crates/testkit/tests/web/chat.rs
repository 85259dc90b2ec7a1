//! The chat page: what a browser is served, with a folder that looks like the one that the build unpacks.

use std::fs;

use metronome_testkit::{Server, Setup};
use serde_json::Value;
use tempfile::TempDir;

fn program() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("dist/chunkjs")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("package.json", "{\"version\": \"14.0.0\"}");
    write("secret.js", "nobody's");
    write("dist/converse.min.js", "// program");
    write("dist/converse.min.css", "/* look */");
    write("dist/chunkjs/one.js", "// more");
    folder
}

fn server(program: &TempDir, more: &str) -> Server {
    let options = format!("web.client_files = {:?}\n{more}", program.path().display().to_string());
    Setup::default().web().domain("other.example").options(&options).start()
}

/// Everything that the page loads.
fn loaded(page: &str) -> Vec<String> {
    let all = [" src='", " href='"].into_iter().flat_map(|word| page.split(word).skip(1));
    all.map(|rest| rest.split('\'').next().unwrap().to_owned()).collect()
}

#[test]
fn the_page_loads_only_from_this_server_and_may_do_no_more_than_it_has_to() {
    let program = program();
    let server = server(&program, "registration.open = true");
    let mut browser = server.dial_as_browser().browse();
    let moved = browser.ask("GET", "/chat", "");
    assert_eq!((moved.status, moved.field("location")), (308, Some("/chat/")));
    let page = browser.ask("GET", "/chat/", "Accept: text/html\r\n");
    assert_eq!((page.status, page.field("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.field("cache-control"), Some("no-cache"));
    assert_eq!(page.field("x-content-type-options"), Some("nosniff"));
    let policy = page.field("content-security-policy").unwrap();
    for word in
        ["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "frame-ancestors 'none'", "base-uri 'none'"]
    {
        assert!(policy.split("; ").any(|part| part == word), "{word}: {policy}");
    }
    assert!(!page.text().contains("<script>") && !page.text().contains("://"), "{}", page.text());
    let loaded = loaded(page.text());
    assert_eq!(loaded.len(), 4, "{loaded:?}");
    for path in &loaded {
        let file = browser.ask("GET", path, "");
        assert_eq!((file.status, file.field("x-content-type-options")), (200, Some("nosniff")), "{path}");
    }
    let program = loaded.iter().find(|path| path.ends_with("/converse.min.js")).unwrap();
    let file = browser.ask("GET", program, "");
    assert_eq!((file.field("content-type"), file.text()), (Some("text/javascript; charset=utf-8"), "// program"));
    assert_eq!(file.field("cache-control"), Some("public, max-age=31536000, immutable"));
    let known = format!("If-None-Match: {}\r\n", file.field("etag").unwrap());
    assert_eq!(browser.ask("GET", program, &known).status, 304);
    let more = program.replace("converse.min.js", "chunkjs/one.js");
    assert_eq!(browser.ask("GET", &more, "").text(), "// more");
    let head = browser.ask("HEAD", &more, "");
    assert_eq!((head.status, head.field("content-length")), (200, Some("7")));
}

#[test]
fn the_page_knows_its_domain_the_rooms_there_and_who_may_register() {
    let program = program();
    let server = server(&program, "[host.\"other.example\"]\nregistration.open = true\nrooms.service = \"talk\"");
    let mut browser = server.dial_as_browser().browse();
    let mut told = |domain: &str| -> Value {
        let page = browser.ask_host(domain, "GET", "/chat/", "");
        let content = page.text().split("content='{").nth(1).unwrap().split('\'').next().unwrap();
        serde_json::from_str(&format!("{{{}", content.replace("&quot;", "\""))).unwrap()
    };
    for (domain, rooms, open) in
        [("localhost", "rooms.localhost", false), ("other.example", "talk.other.example", true)]
    {
        let told = told(domain);
        for key in ["default_domain", "locked_domain"] {
            assert_eq!(told[key], domain);
        }
        assert_eq!((&told["muc_domain"], &told["allow_registration"]), (&rooms.into(), &open.into()));
    }
}

#[test]
fn nothing_beside_the_files_can_be_had_under_whatever_name() {
    let program = program();
    let server = server(&program, "");
    let dial = server.dial_as_browser();
    let page = dial.browse().ask("GET", "/chat/", "");
    let loaded = loaded(page.text());
    let folder = loaded.iter().find_map(|path| path.strip_suffix("converse.min.js")).unwrap();
    for (name, status) in [
        ("secret.js", 404),
        ("package.json", 404),
        ("dist/converse.min.js", 404),
        ("chunkjs", 404),
        ("chunkjs/", 404),
        ("", 404),
        ("...", 404),
        ("converse.min.js%20", 404),
        ("converse.min.js/x", 404),
        ("/etc/passwd", 400),
        ("../secret.js", 400),
        ("chunkjs/../../secret.js", 400),
        ("%2e%2e/secret.js", 400),
        ("..%2fsecret.js", 400),
        ("..%5csecret.js", 400),
        ("converse.min.js%00", 400),
        ("%252e%252e/secret.js", 400),
        ("%u002e%u002e/secret.js", 400),
    ] {
        assert_eq!(dial.browse().ask("GET", &format!("{folder}{name}"), "").status, status, "{name}");
    }
    assert_eq!(dial.browse().ask("GET", "/chat/13.0.0-00000000/converse.min.js", "").status, 404);
    for verb in ["POST", "PUT", "DELETE"] {
        assert_eq!(dial.browse().ask(verb, &format!("{folder}start.js"), "Content-Length: 0\r\n").status, 405);
    }
    // Whom a browser says that it asks does not become part of the policy.
    let page = dial.browse().ask_host("localhost:1; script-src *", "GET", "/chat/", "");
    assert_eq!(page.status, 404);
}

#[test]
fn a_domain_can_go_without_and_so_does_a_server_that_has_no_files() {
    let program = program();
    let server = server(&program, "web.default_host = \"\"\n[host.\"other.example\"]\nweb.client = \"off\"");
    let mut browser = server.dial_as_browser().browse();
    let mut asked = |domain: &str, path: &str| browser.ask_host(domain, "GET", path, "");
    let front = asked("localhost", "/");
    assert!(front.text().contains("href='/chat/'"), "{}", front.text());
    assert!(!asked("other.example", "/").text().contains("/chat/"));
    assert_eq!(asked("other.example", "/chat/").status, 404);
    assert_eq!(asked("nobody.example", "/chat/").status, 404);
    let page = asked("localhost", "/chat/");
    for path in loaded(page.text()).iter().filter(|path| path.starts_with("/chat/")) {
        assert_eq!((asked("localhost", path).status, asked("other.example", path).status), (200, 404), "{path}");
    }
    for place in ["\"\"", "\"{folder}/nowhere\""] {
        let server = Setup::default().web().options(&format!("web.client_files = {place}")).start();
        let mut browser = server.dial_as_browser().browse();
        assert_eq!(browser.ask("GET", "/chat/", "").status, 404);
        assert_eq!(browser.ask("GET", "/healthz", "").status, 200, "everything else is as it was");
        assert!(!browser.ask("GET", "/", "").text().contains("/chat/"));
    }
}
