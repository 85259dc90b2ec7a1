//! A server that stops and crashes in the middle of what fifty people write to another server and get from there: nothing is lost, and only
//! a crash may bring something twice.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use metronome_testkit::{Client, Server, World};
use serde_json::json;

/// People who write, on each of the two servers.
const SENDERS: usize = 25;
/// What each of them writes at a time.
const EACH: usize = 3;
/// Until everything that waits has arrived.
const PATIENCE: Duration = Duration::from_secs(60);

/// One side: its server, and to whom its people write.
struct Side {
    server: Server,
    domain: &'static str,
    to: &'static str,
}

impl Side {
    fn new(world: &World, domain: &'static str, to: &'static str) -> Side {
        let accounts = (0..SENDERS).map(|n| format!("s{n}@{domain}"));
        let setup = accounts.fold(world.setup(domain, "reader"), |setup, account| setup.account(&account));
        // Whatever the machine is doing meanwhile, nothing's time runs out.
        let server = setup.options("[federation]\nkeep = \"10 min\"").start();
        world.publish(domain, &server);
        Side { server, domain, to }
    }

    fn writers(&self) -> Vec<Client> {
        let writer = |n: usize| {
            let mut client = self.server.dial().domain(self.domain).direct();
            client.log_in(&format!("s{n}"), "here");
            client.enable();
            client
        };
        (0..SENDERS).map(writer).collect()
    }

    /// Everybody writes, and nobody waits for the others; in the end everything is stored.
    fn write(&self, writers: &mut [Client], phase: &str) {
        for number in 0..EACH {
            for (n, writer) in writers.iter_mut().enumerate() {
                let body = format!("{phase}-s{n}-{number}");
                writer
                    .send(&format!("<message to='{}' type='chat' id='{body}'><body>{body}</body></message>", self.to));
            }
        }
        for writer in writers {
            let mut handled = 0;
            while handled < EACH as u32 {
                handled = writer.handled().0;
            }
        }
    }

    /// Waits until nothing is left that the other side is not known to have.
    fn wait_until_all_is_proved(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let listed = self.server.control().run("s2s list", json!({}));
            let rows = listed.as_array().unwrap_or_else(|| panic!("{listed} is a table"));
            if rows.iter().all(|row| row["stored"].as_u64().unwrap_or_default() == 0) {
                return;
            }
            assert!(Instant::now() < deadline, "something never arrives: {listed}\n{}", self.server.log().tail(20));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// How often the reader has got each message.
    fn read(&self) -> Vec<String> {
        let mut reader = self.server.dial().domain(self.domain).direct();
        reader.log_in("reader", "here");
        reader.send("<presence/>");
        reader.send(&format!("<message to='reader@{}' type='chat' id='end'><body>end</body></message>", self.domain));
        let mut bodies = Vec::new();
        loop {
            let seen = reader.next_piece();
            match seen.text_of("body").filter(|_| seen.name() == "message") {
                Some(body) if body == "end" => return bodies,
                Some(body) => bodies.push(body),
                None => {}
            }
        }
    }
}

/// Holds what has arrived against what was written in each phase.
fn judge(read: &[String], phases: &[(&str, Copies)]) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for body in read {
        *counts.entry(body).or_default() += 1;
    }
    for (phase, copies) in phases {
        for n in 0..SENDERS {
            let bodies: Vec<String> = (0..EACH).map(|number| format!("{phase}-s{n}-{number}")).collect();
            for body in &bodies {
                let count = counts.get(&**body).copied().unwrap_or_default();
                assert!(count == 1 || (count > 1 && *copies == Copies::Some), "{body} came {count} times");
            }
            // Whatever came twice, each came first in the order in which it was written.
            let first = |body: &String| read.iter().position(|read| read == body);
            let places: Vec<_> = bodies.iter().map(first).collect();
            assert!(places.is_sorted(), "{phase} of s{n} came in the order {places:?}");
        }
    }
}

/// Whether something may come more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copies {
    None,
    Some,
}

#[test]
fn fifty_people_write_both_ways_while_one_server_stops_and_crashes() {
    let world = World::new();
    let mut a = Side::new(&world, "a.example", "reader@b.example");
    let b = Side::new(&world, "b.example", "reader@a.example");
    let mut of_b = b.writers();
    // In the middle of it a server stops in order, and is there again.
    let mut of_a = a.writers();
    a.write(&mut of_a, "stopped");
    b.write(&mut of_b, "stopped");
    drop(of_a);
    a.server.restart();
    a.wait_until_all_is_proved();
    b.wait_until_all_is_proved();
    // What is proved is also removed at an orderly stop.
    a.server.restart();
    let mut of_a = a.writers();
    a.write(&mut of_a, "crashed");
    b.write(&mut of_b, "crashed");
    drop(of_a);
    a.server.crash();
    let mut of_a = a.writers();
    a.write(&mut of_a, "after");
    b.write(&mut of_b, "after");
    a.wait_until_all_is_proved();
    b.wait_until_all_is_proved();
    let phases = [("stopped", Copies::None), ("crashed", Copies::Some), ("after", Copies::None)];
    judge(&b.read(), &phases);
    judge(&a.read(), &phases);
}
