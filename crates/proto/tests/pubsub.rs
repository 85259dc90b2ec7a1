//! Property: a request of publish-subscribe that is accepted is the same after writing and reading it again, for requests of all kinds
//! and what is close to them.
#![allow(clippy::unwrap_used)]

#[path = "round_trip/pubsub.rs"]
mod round_trip;

const SEEDS: &[&str] = &[
    "<create node='n'/><configure><x xmlns='jabber:x:data' type='submit'><field var='a'><value>b</value></field></x></configure>",
    "<subscribe node='n' jid='a@b/c'><public xmlns='urn:xmpp:pps:0'/></subscribe><options><x xmlns='jabber:x:data' type='cancel'/></options>",
    "<unsubscribe node='n' jid='a@b' subid='1'/>",
    "<options jid='a@b'><x xmlns='jabber:x:data' type='submit'><field type='hidden' var='FORM_TYPE'><value>x</value></field></x></options>",
    "<items node='n' max_items='3' subid='1'><item id='1'/><item id='2'/></items><order xmlns='urn:xmpp:order-by:1' by='creation' desc='1'/>\
     <set xmlns='http://jabber.org/protocol/rsm'><max>3</max><before/></set>",
    "<publish xmlns:p='urn:p' node='n'><item id='1'><p:e q:a='1' xmlns:q='urn:q'><f/><![CDATA[<]]>&#13;</p:e></item><item/></publish>",
    "<publish node='n'><item id='&lt;'><e xmlns='urn:e'/></item></publish><publish-options><x xmlns='jabber:x:data' type='submit'/></publish-options>",
    "<retract node='n' notify='true'><item id='1'/></retract>",
    "<subscriptions node='n'><subscription jid='a@b' subscription='none'/><subscription jid='a@b' subid='2'/></subscriptions>",
    "<affiliations node='n'><affiliation jid='a@b' affiliation='owner'/></affiliations>",
    "<delete node='n'><redirect uri='xmpp:a?x&amp;y'/></delete>",
    "<collection node='c'><associate node='n'/></collection>",
    "<default type='collection'/>",
    "<filter xmlns='urn:xmpp:pubsub-filter:0'><x xmlns='jabber:x:data' type='submit'><field var='included-types'><value/></field></x></filter>",
];

/// Mutations of each seed: enough to get past every `if`, few enough for every run.
const MUTATIONS: u64 = 2000;

#[test]
fn requests_are_read_back_as_they_were_written() {
    SEEDS.iter().for_each(|seed| round_trip::check(seed.as_bytes()));
}

#[test]
fn requests_that_are_close_to_right_are_read_back_or_refused() {
    for (number, seed) in SEEDS.iter().enumerate() {
        let mut rng = fastrand::Rng::with_seed(number as u64);
        for _ in 0..MUTATIONS {
            let mut bytes = seed.as_bytes().to_vec();
            for _ in 0..rng.usize(1..4) {
                mutate(&mut bytes, &mut rng);
            }
            round_trip::check(&bytes);
        }
    }
}

/// Changes, doubles, moves or takes out a piece, cut where the markup is so that much of it stays XML.
fn mutate(bytes: &mut Vec<u8>, rng: &mut fastrand::Rng) {
    let cuts: Vec<usize> = (0..bytes.len()).filter(|&at| matches!(bytes[at], b'<' | b' ' | b'\'' | b'=')).collect();
    let (Some(&from), Some(&to)) = (rng.choice(&cuts), rng.choice(&cuts)) else { return };
    let (from, to) = (from.min(to), from.max(to));
    let piece = bytes[from..to].to_vec();
    match rng.u8(0..4) {
        0 => drop(bytes.splice(from..to, [])),
        1 => drop(bytes.splice(to..to, piece)),
        2 => {
            bytes.splice(from..to, []);
            let at = rng.usize(0..=bytes.len());
            bytes.splice(at..at, piece);
        }
        _ => bytes[from] = *rng.choice(b"<>'= x/&\"0".as_slice()).unwrap_or(&b'x'),
    }
}
