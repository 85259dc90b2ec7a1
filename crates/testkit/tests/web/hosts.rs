//! Domains, error pages, and what every browser asks for.

use metronome_testkit::Setup;

#[test]
fn a_domain_is_found_by_its_name_its_alias_and_in_tls_and_nobody_else_is() {
    let options = "web.default_host = \"\"\n[host.\"other.example\"]\nweb.aliases = [\"www.other.example\"]";
    let server = Setup::default().web().domain("other.example").options(options).start();
    let dial = server.dial_as_browser();
    let mut browser = dial.browse();
    let status = |host: &str| dial.browse().ask_host(host, "GET", "/", "").status;
    assert_eq!(status("localhost"), 200);
    assert_eq!(status("LOCALHOST.:5280"), 200);
    assert_eq!(status("other.example"), 200);
    assert_eq!(status("www.other.example:1"), 200);
    assert_eq!(status("127.0.0.1"), 404);
    assert_eq!(status("nobody.example"), 404);
    for host in ["localhost", "other.example", "nobody.example"] {
        let page = browser.ask_host(host, "GET", "/healthz", "");
        assert_eq!((page.status, page.text()), (200, "ok\n"));
    }
    let mut encrypted = dial.clone().domain("other.example").browse_tls();
    let page = encrypted.ask_host("other.example", "GET", "/", "Accept: text/html\r\n");
    assert!(page.status == 200 && page.text().contains("other.example"), "{page:?}");
}

#[test]
fn an_unknown_domain_can_be_sent_to_one_of_ours() {
    let server = Setup::default().web().options("web.default_host = \"localhost\"").start();
    assert_eq!(server.dial_as_browser().browse().ask_host("127.0.0.1", "GET", "/", "").status, 200);
}

#[test]
fn what_goes_wrong_has_a_page_for_people_and_a_line_for_programs() {
    let server = Setup::default().web().options("web.error_texts = [\"404 Nothing <b>here</b>.\"]").start();
    let mut browser = server.dial_as_browser().browse();
    let page = browser.ask("GET", "/nowhere", "Accept: text/html,*/*\r\n");
    assert_eq!((page.status, page.field("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(page.text().contains("Nothing &lt;b") && !page.text().contains("<b>"), "{}", page.text());
    assert!(page.field("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert_eq!(page.field("x-content-type-options"), Some("nosniff"));
    let line = browser.ask("GET", "/nowhere", "");
    assert_eq!(line.text(), "404 Not Found: Nothing <b>here</b>.\n");
    let head = browser.ask("HEAD", "/nowhere", "");
    assert_eq!(head.status, 404);
    let wrong = browser.ask("DELETE", "/healthz", "");
    assert_eq!((wrong.status, wrong.field("allow")), (405, Some("GET, HEAD, OPTIONS")));
    let asked = browser.ask("OPTIONS", "/healthz", "");
    assert_eq!((asked.status, asked.field("allow")), (204, Some("GET, HEAD, OPTIONS")));
}

#[test]
fn a_browser_gets_its_little_picture() {
    let server = Setup::default().web().start();
    let mut browser = server.dial_as_browser().browse();
    let icon = browser.ask("GET", "/favicon.ico", "");
    assert_eq!((icon.status, icon.field("content-type")), (200, Some("image/x-icon")));
    assert_eq!(icon.field("cache-control"), Some("public, max-age=86400"));
    let picture = browser.ask("GET", "/assets/favicon.png", "");
    assert_eq!((picture.status, &picture.body[1..4]), (200, &b"PNG"[..]));
}

#[test]
fn a_stop_ends_idle_connections_and_health_is_told_before() {
    let mut server = Setup::default().web().start();
    let mut browser = server.dial_as_browser().browse();
    assert_eq!(browser.ask("GET", "/healthz", "").status, 200);
    server.stop();
    browser.expect_closed();
}
