//! XEP-0115: Entity Capabilities: the name of everything that service discovery tells of an entity, as the hash of a string.
//! The string is made here; whoever has a hash function makes the name of it.

use super::data_form::{DataForm, FORM_TYPE};
use super::disco::{Identity, Info};
use crate::ns;
use crate::xml::{Child, Tree};

/// The element `<c/>` of a presence or of a stream's features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    /// What made `ver`, such as `sha-1`; without it `ver` is of an old kind and proves nothing.
    pub hash: Option<String>,
    /// The software, as a URI.
    pub node: String,
    /// The hash of the verification string, in base64.
    pub ver: String,
}

impl Caps {
    /// Reads `<c/>`; none if it names nothing.
    pub fn read(c: &Child<'_>) -> Option<Caps> {
        let attribute = |name| c.attr(name).map(String::from);
        Some(Caps { hash: attribute("hash"), node: attribute("node")?, ver: attribute("ver")? })
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        Tree::new(ns::CAPS, "c").attr_opt("hash", self.hash.as_ref()).attr("node", &self.node).attr("ver", &self.ver)
    }

    /// The node under which service discovery tells what is behind the name (section 6.2).
    pub fn disco_node(&self) -> String {
        format!("{}#{}", self.node, self.ver)
    }
}

/// The string whose hash is `ver` (section 5.1). Forms without a hidden `FORM_TYPE` do not count, nor do fields without a name.
pub fn verification_string(info: &Info) -> String {
    let mut identities: Vec<&Identity> = info.identities.iter().collect();
    identities.sort();
    let mut features: Vec<&str> = info.features.iter().map(String::as_str).collect();
    features.sort_unstable();
    let mut forms: Vec<(&str, &DataForm)> =
        info.extensions.iter().filter_map(|form| Some((form.form_type()?, form))).collect();
    forms.sort_by_key(|(form_type, _)| *form_type);

    let mut string = String::new();
    let mut append = |part: &str| {
        string.push_str(part);
        string.push('<');
    };
    for Identity { category, kind, lang, name } in identities {
        let [lang, name] = [lang, name].map(|part| part.as_deref().unwrap_or_default());
        append(&format!("{category}/{kind}/{lang}/{name}"));
    }
    features.into_iter().for_each(&mut append);
    for (form_type, form) in forms {
        append(form_type);
        append_fields(form, &mut append);
    }
    string
}

fn append_fields(form: &DataForm, append: &mut impl FnMut(&str)) {
    let named = form.fields.iter().filter_map(|field| Some((field.var.as_deref()?, &field.values)));
    let mut fields: Vec<_> = named.filter(|(var, _)| *var != FORM_TYPE).collect();
    fields.sort_by_key(|(var, _)| *var);
    for (var, values) in fields {
        append(var);
        let mut values: Vec<&str> = values.iter().map(String::as_str).collect();
        values.sort_unstable();
        values.into_iter().for_each(&mut *append);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::data_form::{Field, FormType};
    use crate::xml::Content;

    fn features() -> Vec<String> {
        // Not in their order: sorting them is part of the method.
        ["muc", "disco#items", "caps", "disco#info"].map(|name| format!("http://jabber.org/protocol/{name}")).to_vec()
    }

    /// Section 5.2.
    #[test]
    fn the_simple_example_of_the_specification() {
        let identities = vec![Identity::new("client", "pc").named("Exodus 0.9.1")];
        let info = Info { identities, features: features(), ..Info::default() };
        assert_eq!(
            verification_string(&info),
            "client/pc//Exodus 0.9.1<http://jabber.org/protocol/caps<http://jabber.org/protocol/disco#info<\
             http://jabber.org/protocol/disco#items<http://jabber.org/protocol/muc<"
        );
    }

    /// Section 5.3, read from the answer that it shows.
    #[test]
    fn the_complex_example_of_the_specification() {
        let xml = "<query xmlns='http://jabber.org/protocol/disco#info' \
                   node='http://psi-im.org#q07IKJEyjvHSyhy//CH0CxmKi8w='>\
                   <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
                   <identity xml:lang='el' category='client' name='&#936; 0.11' type='pc'/>\
                   <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
                   <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>\
                   <x xmlns='jabber:x:data' type='result'>\
                   <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>\
                   <field var='ip_version' type='text-multi'><value>ipv6</value><value>ipv4</value></field>\
                   <field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>\
                   <field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field>\
                   </x></query>";
        let info = Info::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap()).unwrap();
        assert_eq!(
            verification_string(&info),
            "client/pc/el/\u{3a8} 0.11<client/pc/en/Psi 0.11<http://jabber.org/protocol/caps<\
             http://jabber.org/protocol/disco#info<http://jabber.org/protocol/disco#items<http://jabber.org/protocol/muc<\
             urn:xmpp:dataforms:softwareinfo<ip_version<ipv4<ipv6<os<Mac<os_version<10.5.1<software<Psi<software_version<0.11<"
        );
    }

    #[test]
    fn forms_are_sorted_and_count_only_if_they_say_what_they_are() {
        let form = |ns: &str, var: &str| {
            DataForm::new(FormType::Result).field(Field::untyped(var).value("v")).field(Field::hidden_form_type(ns))
        };
        let open = DataForm::new(FormType::Result).field(Field::text_single(FORM_TYPE).value("urn:open"));
        let nameless = DataForm::new(FormType::Result).field(Field::text_single("x").value("y"));
        let extensions = vec![form("urn:b", "two"), open, form("urn:a", "one"), nameless];
        let info = Info { extensions, ..Info::default() };
        assert_eq!(verification_string(&info), "urn:a<one<v<urn:b<two<v<");
    }

    #[test]
    fn the_element_is_read_as_it_was_written() {
        let caps = Caps { hash: Some("sha-1".into()), node: "http://x".into(), ver: "q0/=".into() };
        let content = Content::from_tree(&caps.tree());
        assert_eq!(Caps::read(&content.child(ns::CAPS, "c").unwrap()), Some(caps.clone()));
        assert_eq!(caps.disco_node(), "http://x#q0/=");
        let content = Content::parse(b"<c xmlns='http://jabber.org/protocol/caps' node='x'/>").unwrap();
        assert_eq!(Caps::read(&content.iter().next().unwrap()), None);
    }
}
