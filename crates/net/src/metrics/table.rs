//! All metrics, in the order in which they are told.

use std::sync::Arc;

use metronome_host::counters::{Stanzas, WebAnswers};
use metronome_host::hosts::{Host, Standing};

use super::reading::Reading;
use super::text::Samples;
use super::{Kind, Metric};
use crate::admission::figures::{ConnectionKind, Refused};

const STANDINGS: [Standing; 5] =
    [Standing::Served, Standing::Disabled, Standing::NoCertificate, Standing::Unfit, Standing::Component];

/// The doors by which clients come.
const CLIENTS: [ConnectionKind; 3] = [ConnectionKind::Client, ConnectionKind::WebSocket, ConnectionKind::Bosh];

const fn counter(name: &'static str, help: &'static str, read: fn(&Reading, &mut Samples<'_>)) -> Metric {
    Metric { name, kind: Kind::Counter, unit: None, labels: &[], help, read }
}

const fn gauge(name: &'static str, help: &'static str, read: fn(&Reading, &mut Samples<'_>)) -> Metric {
    Metric { kind: Kind::Gauge, ..counter(name, help, read) }
}

impl Metric {
    const fn unit(self, unit: &'static str) -> Metric {
        Metric { unit: Some(unit), ..self }
    }

    const fn by(self, labels: &'static [&'static str]) -> Metric {
        Metric { labels, ..self }
    }
}

/// See the module.
pub const TABLE: &[Metric] = &[
    // The process.
    counter("process_cpu_seconds", "Processor time that the server has used, user and system.", |now, to| {
        if let Some(stat) = now.process.stat {
            to.one(stat.cpu_seconds);
        }
    })
    .unit("seconds"),
    gauge("process_resident_memory_bytes", "Memory that the server has.", |now, to| {
        if let Some(bytes) = now.resident_bytes() {
            to.one(bytes);
        }
    })
    .unit("bytes"),
    gauge("process_virtual_memory_bytes", "Addresses that the server has reserved; most of them are no memory.", |now, to| {
        if let Some(bytes) = now.virtual_bytes() {
            to.one(bytes);
        }
    })
    .unit("bytes"),
    gauge("process_open_fds", "Open file descriptors; each connection is one.", |now, to| {
        if let Some(open) = now.process.open_fds {
            to.one(open);
        }
    }),
    gauge("process_max_fds", "How many file descriptors the server may have open.", |now, to| {
        if let Some(most) = now.process.max_fds {
            to.one(most);
        }
    }),
    gauge("process_threads", "Threads of the server.", |now, to| {
        if let Some(stat) = now.process.stat {
            to.one(stat.threads);
        }
    }),
    gauge("process_start_time_seconds", "When the server was started, Unix time.", |now, to| {
        to.one(now.admission.figures.since_ms() as f64 / 1000.0);
    })
    .unit("seconds"),
    Metric {
        kind: Kind::Info,
        ..counter("metronome_build", "Which version this is.", |_, to| to.of([env!("CARGO_PKG_VERSION")], 1_u64))
    }
    .by(&["version"]),
    counter("metronome_panics", "Panics that were caught. Each closed one stream or ended one delivery, and each is a defect of the server.", |now, to| {
        to.one(now.server.counters.panics.get());
    }),
    counter("metronome_log_lines_lost", "Lines of the log that the journal or syslog did not take.", |now, to| {
        to.one(now.server.control.process().map_or(0, |process| process.lost_log_lines()));
    }),
    // Who is there.
    gauge(
        "metronome_connections",
        "Connections that others have opened, by what they are for: client (over TCP), websocket, bosh (each session counts as one), \
         server, component, web, bytestream (a party of a transfer).",
        |now, to| {
            for kind in ConnectionKind::ALL {
                to.of([kind.as_str()], now.admission.figures.open(kind));
            }
        },
    )
    .by(&["kind"]),
    counter(
        "metronome_connections_refused",
        "Connections that were turned away before anything was read: rate (the address connects too often), connections (it has too many), \
         addresses (too many addresses are connected), unproved (too many servers of the address have not proved who they are), \
         full (all addresses together have as many as the file descriptors of the server allow, of which it keeps some for itself).",
        |now, to| {
            for why in Refused::ALL {
                to.of([why.word()], now.admission.figures.refusals(why));
            }
        },
    )
    .by(&["why"]),
    counter("metronome_tls_handshake_failures", "TLS handshakes that others have begun and that came to nothing.", |now, to| {
        to.one(now.admission.figures.failed_handshakes());
    }),
    gauge(
        "metronome_sessions",
        "Sessions of accounts: connected, or waiting for a client that has lost its connection and may come back (XEP-0198).",
        |now, to| {
            to.of(["connected"], now.server.sessions.count().saturating_sub(now.detached));
            to.of(["waiting"], now.detached);
        },
    )
    .by(&["state"]),
    gauge(
        "metronome_client_streams",
        "Connections on which a client has logged in, by kind: client (over TCP), websocket, bosh.",
        |now, to| {
            for kind in CLIENTS {
                to.of([kind.as_str()], now.admission.figures.in_use(kind));
            }
        },
    )
    .by(&["kind"]),
    counter("metronome_logins", "Logins that succeeded.", |now, to| to.one(now.server.counters.logins.get())),
    counter("metronome_login_failures", "Attempts to log in that failed.", |now, to| {
        to.one(now.server.counters.login_failures.get());
    }),
    // Stanzas.
    counter(
        "metronome_stanzas_received",
        "Stanzas that were read, by who has sent them (clients, servers, components) and kind (message, presence, iq).",
        |now, to| {
            let counters = &now.server.counters;
            by_kind(to, "clients", &counters.from_clients);
            by_kind(to, "servers", &counters.from_servers);
            by_kind(to, "components", &counters.from_components);
        },
    )
    .by(&["from", "kind"]),
    counter(
        "metronome_stanzas_sent",
        "Stanzas that were handed on, by whom they are for (clients, servers, components) and kind (message, presence, iq). For clients \
         each copy counts, and each answer of the server.",
        |now, to| {
            let counters = &now.server.counters;
            by_kind(to, "clients", &counters.delivered);
            by_kind(to, "servers", &counters.to_servers);
            by_kind(to, "components", &counters.to_components);
        },
    )
    .by(&["to", "kind"]),
    counter("metronome_stanzas_bounced", "Stanzas that went back to their senders with an error.", |now, to| {
        to.one(now.server.counters.bounced.get());
    }),
    counter(
        "metronome_stanzas_dropped",
        "Errors, presence and chat states that nobody could take, which nobody hears of; never a message that was to be stored.",
        |now, to| to.one(now.server.counters.dropped.get()),
    ),
    // The store.
    Metric {
        kind: Kind::Histogram,
        ..counter("metronome_store_commit_seconds", "How long it took to make a batch of changes durable.", |now, to| {
            to.durations(&now.server.writer.stats().commits.get());
        })
    }
    .unit("seconds"),
    counter("metronome_store_records", "Changes that were made durable.", |now, to| {
        to.one(now.server.writer.stats().records());
    }),
    counter("metronome_store_failures", "How often something could not be written into the store.", |now, to| {
        to.one(now.server.writer.stats().failures());
    }),
    gauge("metronome_store_queue", "Changes that wait for the disk.", |now, to| to.one(now.server.writer.waiting())),
    gauge(
        "metronome_store_queue_bytes",
        "Bytes of changes that wait for the disk or are being delivered; at 32 MiB those who want to change something wait.",
        |now, to| to.one(now.server.writer.permit_bytes()),
    )
    .unit("bytes"),
    gauge("metronome_disk_free_bytes", "What the file system of the data folder still has for the server.", |now, to| {
        if let Some(Ok(free)) = now.server.uploads.folder().map(|folder| folder.free_bytes()) {
            to.one(free);
        }
    })
    .unit("bytes"),
    // Other servers and components.
    gauge("metronome_s2s_streams", "Streams with other servers, by where stanzas go on them: in, out, both.", |now, to| {
        to.of(["in"], now.streams.incoming);
        to.of(["out"], now.streams.outgoing);
        to.of(["both"], now.streams.both);
    })
    .by(&["way"]),
    gauge("metronome_s2s_queue", "Stored stanzas that other servers are not known to have.", |now, to| {
        to.one(now.remotes.stanzas);
    }),
    gauge("metronome_s2s_queue_bytes", "Bytes of memory of what waits for other servers.", |now, to| {
        to.one(now.remotes.bytes);
    })
    .unit("bytes"),
    gauge("metronome_s2s_failing", "Pairs of domains between which there is no way at the moment.", |now, to| {
        to.one(now.remotes.failing);
    }),
    gauge("metronome_component_connected", "Whether a component is connected: 1 or 0, by its domain.", |now, to| {
        for host in now.server.hosts.load().components() {
            let is_connected = now.server.components.of(&host.name).is_connected();
            to.of([host.name.as_str()], u64::from(is_connected));
        }
    })
    .by(&["component"]),
    gauge("metronome_component_queue", "Stanzas that wait for components.", |now, to| to.one(now.components.stanzas)),
    gauge("metronome_component_queue_bytes", "Bytes of stanzas that wait for components.", |now, to| {
        to.one(now.components.bytes);
    })
    .unit("bytes"),
    // What it serves.
    gauge(
        "metronome_domains",
        "Domains of the server by how they are: enabled, disabled, no certificate, unfit (something else that they need cannot be used), \
         component. Services of domains are not counted.",
        |now, to| {
            let hosts = now.server.hosts.load();
            for standing in STANDINGS {
                to.of([standing.as_str()], hosts.all().filter(|known| known.standing == standing).count());
            }
        },
    )
    .by(&["state"]),
    gauge("metronome_certificate_end_seconds", "When the certificate of a domain, or of a service that has one of its own, ends, Unix time.", |now, to| {
        for known in now.server.hosts.load().all() {
            // A service mostly has that of its domain.
            let own = |host: &&Arc<Host>| !same(host, &known.host);
            for host in std::iter::once(&known.host).chain(known.host.services.iter().filter(own)) {
                if let Some(tls) = &host.tls {
                    to.of([host.name.as_str()], u64::try_from(tls.not_after_s).unwrap_or(0));
                }
            }
        }
    })
    .unit("seconds")
    .by(&["domain"]),
    gauge("metronome_rooms", "Rooms that are in use.", |now, to| to.one(now.server.rooms.count())),
    gauge("metronome_upload_files", "Files that people have uploaded.", |now, to| {
        if let Some(folder) = now.server.uploads.folder() {
            to.one(folder.total().files);
        }
    }),
    gauge("metronome_upload_bytes", "Bytes of files that people have uploaded.", |now, to| {
        if let Some(folder) = now.server.uploads.folder() {
            to.one(folder.total().bytes);
        }
    })
    .unit("bytes"),
    gauge(
        "metronome_bytestreams",
        "Connections of transfers between people (XEP-0065) that wait for the other party or its word (waiting), and transfers under way (active).",
        |now, to| {
            to.of(["waiting"], now.server.bytestreams.waiting());
            to.of(["active"], now.server.bytestreams.under_way());
        },
    )
    .by(&["state"]),
    counter("metronome_bytestream_transfers", "Transfers between people that this server has carried or carries.", |now, to| {
        to.one(now.server.bytestreams.carried().0);
    }),
    counter("metronome_bytestream_bytes", "Bytes of transfers between people that this server has carried.", |now, to| {
        to.one(now.server.bytestreams.carried().1);
    })
    .unit("bytes"),
    counter("metronome_web_answers", "Requests that the web server has answered, by the first digit of the status: 1xx to 5xx.", |now, to| {
        for (class, count) in WebAnswers::CLASSES.into_iter().zip(now.server.counters.web_answers.get()) {
            to.of([class], count);
        }
    })
    .by(&["class"]),
    gauge("metronome_questions", "Requests of the server's own that wait for an answer.", |now, to| {
        to.one(now.server.asked.count());
    }),
    gauge(
        "metronome_memory_bytes",
        "Memory of tables that grow with what the server is used for, by part: sessions, facts (what is known of accounts), nodes, rooms (what \
         waits for them), images (small ones that were said in rooms), remotes, components (what waits for them), interests (what clients want \
         to hear of), gate (rules about other servers), uploads, bytestreams, connections.",
        memory,
    )
    .unit("bytes")
    .by(&["part"]),
];

/// Whether two have one certificate.
fn same(one: &Host, other: &Host) -> bool {
    match (&one.tls, &other.tls) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

fn by_kind(to: &mut Samples<'_>, whose: &str, stanzas: &Stanzas) {
    for kind in Stanzas::KINDS {
        to.of([whose, kind.as_str()], stanzas.get(kind));
    }
}

fn memory(now: &Reading, to: &mut Samples<'_>) {
    let server = &now.server;
    let parts = [
        ("sessions", server.sessions.memory_usage()),
        ("facts", server.facts.memory_usage()),
        ("nodes", server.nodes.memory_usage()),
        ("rooms", server.rooms.memory_usage()),
        ("images", server.bits.memory_usage()),
        ("remotes", server.remotes.memory_usage()),
        ("components", server.components.memory_usage()),
        ("interests", server.interests.memory_usage()),
        ("gate", server.gate.memory_usage()),
        ("uploads", server.uploads.memory_usage()),
        ("bytestreams", server.bytestreams.memory_usage()),
        ("connections", now.admission.memory_usage()),
    ];
    for (part, bytes) in parts {
        to.of([part], bytes);
    }
}
