//! Messages of RFC 1035 as far as the name server needs them: questions are read, answers written without compression.

use std::net::{IpAddr, Ipv4Addr};

use super::zone::{Data, Manner, Reply};

/// Bytes of an answer over UDP where the question does not say otherwise (RFC 1035 section 4.2.1).
const UDP_BYTES: usize = 512;
/// Where liars lead to.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 66));

pub(super) const A: u16 = 1;
pub(super) const CNAME: u16 = 5;
const SOA: u16 = 6;
pub(super) const AAAA: u16 = 28;
pub(super) const SRV: u16 = 33;
const OPT: u16 = 41;
const CLASS_IN: u16 = 1;

/// How a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// What somebody asks.
#[derive(Debug, Clone)]
pub(super) struct Question {
    id: u16,
    /// The name as it was written; its case comes back in the answer.
    written: String,
    pub(super) kind: u16,
    /// Largest answer over UDP, if the question says so (RFC 6891).
    udp_bytes: Option<usize>,
}

impl Question {
    /// Reads a message with one question; none if it is no such message.
    pub(super) fn read(message: &[u8]) -> Option<Question> {
        let word = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
        let (id, flags) = (word(0)?, word(2)?);
        if flags & 0x8000 != 0 || word(4)? != 1 {
            return None;
        }
        let (written, at) = read_name(message, 12)?;
        let kind = word(at)?;
        // The only thing behind the question is the record of RFC 6891, whose name is the root and whose class is a size.
        let udp_bytes = match (message.get(at + 4), word(at + 5)) {
            (Some(0), Some(OPT)) => word(at + 7).map(usize::from),
            _ => None,
        };
        Some(Question { id, written, kind, udp_bytes })
    }

    /// The name in lower case, without a dot at its end.
    pub(super) fn name(&self) -> String {
        self.written.to_ascii_lowercase()
    }
}

fn read_name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let len = usize::from(*message.get(at)?);
        at += 1;
        match len {
            0 => return Some((labels.join("."), at)),
            1..=63 => labels.push(String::from_utf8(message.get(at..at + len)?.to_vec()).ok()?),
            _ => return None,
        }
        at += len;
    }
}

/// The answer in the manner that is wanted; none where there is none.
pub(super) fn write(question: &Question, reply: &Reply, manner: Manner, transport: Transport) -> Option<Vec<u8>> {
    let failed = |code: u16| Reply { code, records: Vec::new(), ttl_s: reply.ttl_s };
    let (id, written) = (question.id, &*question.written);
    Some(match manner {
        Manner::Silent => return None,
        Manner::Broken => message(id, written, question, &failed(2), transport),
        Manner::Refusing => message(id, written, question, &failed(5), transport),
        Manner::Garbage => [&id.to_be_bytes()[..], &[0xff; 40]].concat(),
        Manner::OtherId => message(id ^ 0x5555, written, question, &elsewhere(question, reply), transport),
        Manner::OtherName => message(id, "elsewhere.example", question, &elsewhere(question, reply), transport),
        Manner::Honest | Manner::Late(_) => message(id, written, question, reply, transport),
    })
}

fn elsewhere(question: &Question, reply: &Reply) -> Reply {
    let data = match question.kind {
        SRV => Data::Service(0, 0, 5269, "elsewhere.example".to_owned()),
        _ => Data::Address(ELSEWHERE),
    };
    Reply { code: 0, records: vec![(question.name(), data)], ttl_s: reply.ttl_s }
}

fn message(id: u16, name: &str, question: &Question, reply: &Reply, transport: Transport) -> Vec<u8> {
    let whole = assemble(id, name, question, reply, Cut::Whole);
    let fits = whole.len() <= question.udp_bytes.unwrap_or(UDP_BYTES).max(UDP_BYTES);
    if fits || transport == Transport::Tcp { whole } else { assemble(id, name, question, reply, Cut::Truncated) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Whole,
    Truncated,
}

fn assemble(id: u16, name: &str, question: &Question, reply: &Reply, cut: Cut) -> Vec<u8> {
    let mut out = Vec::new();
    let word = |out: &mut Vec<u8>, word: u16| out.extend_from_slice(&word.to_be_bytes());
    let records = if cut == Cut::Whole { &*reply.records } else { &[] };
    let is_empty = !records.iter().any(|(_, data)| data.kind() == question.kind);
    let says_nothing = cut == Cut::Whole && is_empty && matches!(reply.code, 0 | 3);
    // A response; recursion was desired and is available.
    let truncated = if cut == Cut::Truncated { 0x0200 } else { 0 };
    word(&mut out, id);
    word(&mut out, 0x8180 | truncated | reply.code);
    let counts = [1, records.len(), usize::from(says_nothing), usize::from(question.udp_bytes.is_some())];
    for count in counts {
        word(&mut out, u16::try_from(count).expect("a test has fewer records"));
    }
    write_name(&mut out, name);
    word(&mut out, question.kind);
    word(&mut out, CLASS_IN);
    for (owner, data) in records {
        write_name(&mut out, if *owner == question.name() { name } else { owner });
        write_record(&mut out, data, reply.ttl_s);
    }
    if says_nothing {
        write_name(&mut out, "example");
        write_head(&mut out, SOA, CLASS_IN, reply.ttl_s);
        let mut soa = Vec::new();
        write_name(&mut soa, "ns.example");
        write_name(&mut soa, "admin.example");
        for number in [1, 3600, 600, 86_400, reply.ttl_s] {
            soa.extend_from_slice(&number.to_be_bytes());
        }
        write_data(&mut out, &soa);
    }
    if question.udp_bytes.is_some() {
        write_name(&mut out, "");
        write_head(&mut out, OPT, 1232, 0);
        write_data(&mut out, &[]);
    }
    out
}

fn write_record(out: &mut Vec<u8>, data: &Data, ttl_s: u32) {
    write_head(out, data.kind(), CLASS_IN, ttl_s);
    let mut written = Vec::new();
    match data {
        Data::Address(IpAddr::V4(address)) => written.extend_from_slice(&address.octets()),
        Data::Address(IpAddr::V6(address)) => written.extend_from_slice(&address.octets()),
        Data::Alias(target) => write_name(&mut written, target),
        Data::Service(priority, weight, port, target) => {
            for number in [priority, weight, port] {
                written.extend_from_slice(&number.to_be_bytes());
            }
            write_name(&mut written, target);
        }
    }
    write_data(out, &written);
}

fn write_head(out: &mut Vec<u8>, kind: u16, class: u16, ttl_s: u32) {
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&class.to_be_bytes());
    out.extend_from_slice(&ttl_s.to_be_bytes());
}

fn write_data(out: &mut Vec<u8>, data: &[u8]) {
    let length = u16::try_from(data.len()).expect("the data of a record are short");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(data);
}

fn write_name(out: &mut Vec<u8>, name: &str) {
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).expect("a label has at most 63 bytes"));
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
}
