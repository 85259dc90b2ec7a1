//! Proxies: whose word counts, and how they say it.

use metronome_testkit::Setup;

#[test]
fn requests_through_a_proxy_count_for_the_address_behind_it() {
    let options = "limits.connections = 1\nlimits.connection_rate = \"1/min\"\nweb.proxies = [\"127.0.0.1\"]";
    let server = Setup::default().web().no_accounts().options(options).start();
    let mut proxy = server.dial_as_browser().browse();
    let mut from = |address: &str| proxy.ask("GET", "/healthz", &format!("X-Forwarded-For: {address}\r\n")).status;
    assert_eq!(from("198.51.100.1"), 200);
    assert_eq!(from("198.51.100.1"), 429, "once a minute");
    assert_eq!(from("6.6.6.6, 198.51.100.1"), 429, "what the client made up before it does not count");
    assert_eq!(from("198.51.100.2"), 200);
    // Somebody else is who it is, whatever it says.
    let mut stranger = server.dial_as_browser().from("127.0.0.2").browse();
    assert_eq!(stranger.ask("GET", "/healthz", "X-Forwarded-For: 198.51.100.1\r\n").status, 200);
}

#[test]
fn a_proxy_that_must_name_its_client_names_it_or_is_closed() {
    let options = "web.proxy_protocol = true\nweb.proxies = [\"127.0.0.1\"]\nlimits.connection_rate = \"1/min\"";
    let server = Setup::default().web().no_accounts().options(options).start();
    let dial = server.dial_as_browser();
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let ask = |header: &str| {
        let mut browser = dial.browse();
        browser.send(format!("{header}{request}").as_bytes());
        browser.try_answer("GET").map(|answer| answer.status)
    };
    assert_eq!(ask("PROXY TCP4 198.51.100.1 192.0.2.1 5000 443\r\n"), Some(200));
    assert_eq!(ask("PROXY TCP4 198.51.100.1 192.0.2.1 5001 443\r\n"), None, "once a minute");
    assert_eq!(ask("PROXY TCP4 198.51.100.2 192.0.2.1 5002 443\r\n"), Some(200));
    assert_eq!(ask(""), None, "a header is demanded");
    assert_eq!(ask("PROXY TCP4 x y z\r\n"), None);
    // Who is no proxy has nothing to say before its request.
    let mut stranger = dial.clone().from("127.0.0.2").browse();
    assert_eq!(stranger.ask("GET", "/healthz", "").status, 200);
}
