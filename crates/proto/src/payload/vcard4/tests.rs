//! Cards from one form to the other and back.

use super::*;
use crate::xml::Content;

fn card(xml: &str) -> Content {
    Content::parse(xml.as_bytes()).unwrap()
}

fn new_of(inside: &str) -> String {
    let tree = from_temp(&card(&format!("<vCard xmlns='vcard-temp'>{inside}</vCard>")).iter().next().unwrap());
    let xml = String::from_utf8(tree.to_vec(ns::VCARD4)).unwrap();
    xml.strip_prefix("<vcard>").and_then(|xml| xml.strip_suffix("</vcard>")).unwrap_or_default().to_owned()
}

fn old_of(inside: &str) -> String {
    let tree = to_temp(&card(&format!("<vcard xmlns='{}'>{inside}</vcard>", ns::VCARD4)).iter().next().unwrap());
    let xml = String::from_utf8(tree.to_vec(ns::VCARD)).unwrap();
    xml.strip_prefix("<vCard>").and_then(|xml| xml.strip_suffix("</vCard>")).unwrap_or_default().to_owned()
}

/// Each property in the old form and in the new one, both ways.
const BOTH_WAYS: &[(&str, &str)] = &[
    ("<FN>Peter Saint-Andre</FN>", "<fn><text>Peter Saint-Andre</text></fn>"),
    (
        "<N><FAMILY>Saint-Andre</FAMILY><GIVEN>Peter</GIVEN><MIDDLE>X</MIDDLE></N>",
        "<n><surname>Saint-Andre</surname><given>Peter</given><additional>X</additional></n>",
    ),
    (
        "<NICKNAME>stpeter</NICKNAME><NICKNAME>psa</NICKNAME>",
        "<nickname><text>stpeter</text></nickname><nickname><text>psa</text></nickname>",
    ),
    ("<PHOTO><EXTVAL>https://x/p.jpg</EXTVAL></PHOTO>", "<photo><uri>https://x/p.jpg</uri></photo>"),
    (
        "<PHOTO><TYPE>image/png</TYPE><BINVAL>iVBO</BINVAL></PHOTO>",
        "<photo><uri>data:image/png;base64,iVBO</uri></photo>",
    ),
    ("<BDAY>1966-08-06</BDAY>", "<bday><date>1966-08-06</date></bday>"),
    (
        "<ADR><WORK/><PREF/><EXTADD>Suite 600</EXTADD><STREET>1899 Wynkoop Street</STREET><LOCALITY>Denver</LOCALITY>\
         <REGION>CO</REGION><PCODE>80202</PCODE><CTRY>USA</CTRY></ADR>",
        "<adr><parameters><type><text>work</text></type><pref><integer>1</integer></pref></parameters><ext>Suite 600</ext>\
         <street>1899 Wynkoop Street</street><locality>Denver</locality><region>CO</region><code>80202</code>\
         <country>USA</country></adr>",
    ),
    (
        "<TEL><VOICE/><CELL/><TEXT/><NUMBER>+1-720-256-6756</NUMBER></TEL>",
        "<tel><parameters><type><text>voice</text><text>cell</text><text>text</text></type></parameters>\
         <uri>tel:+1-720-256-6756</uri></tel>",
    ),
    ("<TEL><NUMBER>+1 (720) 256</NUMBER></TEL>", "<tel><text>+1 (720) 256</text></tel>"),
    (
        "<EMAIL><INTERNET/><HOME/><USERID>stpeter@jabber.org</USERID></EMAIL>",
        "<email><parameters><type><text>home</text></type></parameters><text>stpeter@jabber.org</text></email>",
    ),
    ("<JABBERID>stpeter@jabber.org</JABBERID>", "<impp><uri>xmpp:stpeter@jabber.org</uri></impp>"),
    ("<TZ>America/Denver</TZ>", "<tz><text>America/Denver</text></tz>"),
    ("<GEO><LAT>39.59</LAT><LON>-105.01</LON></GEO>", "<geo><uri>geo:39.59,-105.01</uri></geo>"),
    ("<ORG><ORGNAME>XSF</ORGNAME><ORGUNIT>Board</ORGUNIT></ORG>", "<org><text>XSF</text><text>Board</text></org>"),
    (
        "<CATEGORIES><KEYWORD>a</KEYWORD><KEYWORD>b</KEYWORD></CATEGORIES>",
        "<categories><text>a</text><text>b</text></categories>",
    ),
    ("<URL>https://stpeter.im/</URL>", "<url><uri>https://stpeter.im/</uri></url>"),
    ("<UID>urn:uuid:1</UID>", "<uid><uri>urn:uuid:1</uri></uid>"),
    ("<DESC>More</DESC>", "<note><text>More</text></note>"),
    ("<KEY><CRED>PGP</CRED></KEY>", "<key><text>PGP</text></key>"),
    ("<REV>20130116T120000Z</REV>", "<rev><timestamp>20130116T120000Z</timestamp></rev>"),
    (
        "<AGENT><EXTVAL>https://x/agent</EXTVAL></AGENT>",
        "<related><parameters><type><text>agent</text></type></parameters><uri>https://x/agent</uri></related>",
    ),
    (
        "<N><FAMILY>de Vries</FAMILY></N><SORT-STRING>Vries</SORT-STRING>",
        "<n><parameters><sort-as><text>Vries</text></sort-as></parameters><surname>de Vries</surname></n>",
    ),
];

#[test]
fn each_property_has_one_in_the_other_form() {
    for (old, new) in BOTH_WAYS {
        assert_eq!(new_of(old), *new);
        assert_eq!(old_of(new), *old);
    }
}

#[test]
fn whole_cards_go_both_ways() {
    // The last has a second name, and a card has one.
    let all = &BOTH_WAYS[..BOTH_WAYS.len() - 1];
    let old: String = all.iter().map(|(old, _)| *old).collect();
    let new: String = all.iter().map(|(_, new)| *new).collect();
    assert_eq!(new_of(&old_of(&new)), new);
    assert_eq!(old_of(&new_of(&old)), old);
}

#[test]
fn what_one_form_cannot_say_is_lost() {
    for old in [
        "",
        "<FN/>",
        "<FN> </FN>",
        "<N/>",
        "<ADR><HOME/></ADR>",
        "<TEL><WORK/></TEL>",
        "<GEO><LAT>1</LAT></GEO>",
        "<PHOTO/>",
        "<PHOTO><TYPE>image/png</TYPE></PHOTO>",
        "<CLASS><PUBLIC/></CLASS>",
        "<MAILER>x</MAILER>",
        "<LABEL><LINE>x</LINE></LABEL>",
        "<SOUND><PHONETIC>x</PHONETIC></SOUND>",
        "<AGENT><vCard/></AGENT>",
        "<FN xmlns='urn:x'>x</FN>",
    ] {
        assert_eq!(new_of(old), "", "{old}");
    }
    for new in [
        "<fn/>",
        "<impp><uri>sip:a@b</uri></impp>",
        "<photo><uri>data:image/png,%89PNG</uri></photo>",
        "<geo><uri>39,1</uri></geo>",
        "<gender><sex>M</sex></gender>",
        "<related><uri>https://x</uri></related>",
        "<kind><text>application</text></kind>",
    ] {
        assert_eq!(old_of(new), "", "{new}");
    }
}

#[test]
fn both_notes_are_notes() {
    assert_eq!(new_of("<NOTE>a</NOTE><DESC>b</DESC>"), "<note><text>a</text></note><note><text>b</text></note>");
}

#[test]
fn a_picture_is_a_uri_without_white_space_and_with_one_type() {
    assert_eq!(
        new_of("<PHOTO><TYPE>image/png,evil;x</TYPE><BINVAL>\n iVBO\n Rw0K\n</BINVAL></PHOTO>"),
        "<photo><uri>data:application/octet-stream;base64,iVBORw0K</uri></photo>"
    );
    assert_eq!(old_of("<logo><uri>data:;base64,AA==</uri></logo>"), "<LOGO><BINVAL>AA==</BINVAL></LOGO>");
    assert_eq!(
        old_of("<sound><uri>data:audio/ogg;codecs=opus;base64,AA==</uri></sound>"),
        "<SOUND><TYPE>audio/ogg</TYPE><BINVAL>AA==</BINVAL></SOUND>"
    );
}

#[test]
fn text_cannot_become_markup() {
    assert_eq!(new_of("<FN>&lt;x&gt;&amp;</FN>"), "<fn><text>&lt;x&gt;&amp;</text></fn>");
    assert_eq!(old_of("<url><uri>javascript:&lt;x&gt;</uri></url>"), "<URL>javascript:&lt;x&gt;</URL>");
}
