//! XEP-0030: Service Discovery.

use super::Malformed;
use super::data_form::DataForm;
use crate::jid::Jid;
use crate::ns;
use crate::xml::{Child, Tree};

/// What an entity is, section 3.1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The category, such as `server`.
    pub category: String,
    /// The type within the category, such as `im`.
    pub kind: String,
    /// The language of the name.
    pub lang: Option<String>,
    /// For humans.
    pub name: Option<String>,
}

impl Identity {
    /// An identity without a name.
    pub fn new(category: &str, kind: &str) -> Identity {
        Identity { category: category.to_owned(), kind: kind.to_owned(), lang: None, name: None }
    }

    /// Adds a name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Identity {
        self.name = Some(name.to_owned());
        self
    }

    fn tree(&self) -> Tree {
        Tree::new(ns::DISCO_INFO, "identity")
            .attr("category", &self.category)
            .attr("type", &self.kind)
            .attr_opt("xml:lang", self.lang.as_ref())
            .attr_opt("name", self.name.as_ref())
    }

    fn read(child: &Child<'_>) -> Identity {
        let attribute = |name| child.attr(name).map(String::from);
        Identity {
            category: attribute("category").unwrap_or_default(),
            kind: attribute("type").unwrap_or_default(),
            lang: child.lang().map(String::from),
            name: attribute("name"),
        }
    }
}

/// The node that a query asks about, of either namespace.
pub fn node(query: &Child<'_>) -> Option<String> {
    query.attr("node").map(String::from)
}

/// What an entity is and can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The node that it is about.
    pub node: Option<String>,
    /// What it is; at least one in a result.
    pub identities: Vec<Identity>,
    /// What it can do: namespaces and other fixed names.
    pub features: Vec<String>,
    /// XEP-0128: forms with more.
    pub extensions: Vec<DataForm>,
}

impl Info {
    /// Reads a result's `<query/>`; malformed if one of its forms is.
    pub fn read(query: &Child<'_>) -> Result<Info, Malformed> {
        let mut info = Info { node: node(query), ..Info::default() };
        for child in query.children() {
            match (child.ns(), child.name()) {
                (ns::DISCO_INFO, "identity") => info.identities.push(Identity::read(&child)),
                (ns::DISCO_INFO, "feature") => info.features.extend(child.attr("var").map(String::from)),
                (ns::DATA_FORMS, "x") => info.extensions.push(DataForm::read(&child)?),
                _ => {}
            }
        }
        Ok(info)
    }

    /// The `<query/>` of a result; empty, it is that of a request.
    pub fn tree(&self) -> Tree {
        let feature = |var: &String| Tree::new(ns::DISCO_INFO, "feature").attr("var", var);
        Tree::new(ns::DISCO_INFO, "query")
            .attr_opt("node", self.node.as_ref())
            .children(self.identities.iter().map(Identity::tree))
            .children(self.features.iter().map(feature))
            .children(self.extensions.iter().map(DataForm::tree))
    }
}

/// Something that belongs to an entity, section 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its address.
    pub jid: Jid,
    /// Its node there.
    pub node: Option<String>,
    /// For humans.
    pub name: Option<String>,
}

impl Item {
    /// The element `<item/>`.
    pub fn tree(&self) -> Tree {
        Tree::new(ns::DISCO_ITEMS, "item")
            .attr("jid", self.jid.as_str())
            .attr_opt("node", self.node.as_ref())
            .attr_opt("name", self.name.as_ref())
    }

    fn read(child: &Child<'_>) -> Result<Item, Malformed> {
        let jid = child.attr("jid").ok_or(Malformed("an item without a jid"))?;
        let jid = Jid::parse(&jid).map_err(|_| Malformed("an item whose jid is not one"))?;
        Ok(Item { jid, node: child.attr("node").map(String::from), name: child.attr("name").map(String::from) })
    }
}

/// What belongs to an entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// The node that it is about.
    pub node: Option<String>,
    /// All of them, in order.
    pub items: Vec<Item>,
}

impl Items {
    /// Reads a result's `<query/>`.
    pub fn read(query: &Child<'_>) -> Result<Items, Malformed> {
        let items = query.children().filter(|child| child.is(ns::DISCO_ITEMS, "item"));
        Ok(Items { node: node(query), items: items.map(|item| Item::read(&item)).collect::<Result<_, _>>()? })
    }

    /// The `<query/>` of a result; empty, it is that of a request.
    pub fn tree(&self) -> Tree {
        Tree::new(ns::DISCO_ITEMS, "query")
            .attr_opt("node", self.node.as_ref())
            .children(self.items.iter().map(Item::tree))
    }
}
