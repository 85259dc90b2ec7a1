//! What may be said beside a request for the nodes of a service: of which types they are to be (XEP-0462), what belongs to them
//! (XEP-0499), and which page of them (XEP-0059).

use crate::ns;
use crate::payload::data_form::{DataForm, FormType};
use crate::payload::rsm::Wanted;
use crate::payload::{Malformed, digits, truth};
use crate::xml::Child;

/// Most types that a filter names.
const TYPES_MAX: usize = 100;

/// A request for what belongs to a service or a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Of which types; all, without one.
    pub filter: Option<TypeFilter>,
    /// What belongs to the nodes; without it the answer has the form of XEP-0060.
    pub relatives: Option<Relatives>,
    /// Which page.
    pub set: Wanted,
}

/// Types of nodes, as `pubsub#type` says them; an empty one is that of nodes without a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeFilter {
    /// Only these.
    Included(Vec<String>),
    /// All but these.
    Excluded(Vec<String>),
}

/// What belongs to nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relatives {
    /// What is listed.
    pub kinds: Kinds,
    /// Nodes that are linked to those listed.
    pub linked: bool,
    /// Everything that is told of a node, rather than its relations alone.
    pub full_metadata: bool,
    /// How many layers of descendants.
    pub depth: u32,
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kinds {
    /// Items and nodes.
    All,
    /// Only items.
    Items,
    /// Only nodes.
    Nodes,
}

impl Listing {
    /// Reads what stands in a `<query/>` of `disco#items`.
    pub fn read(query: &Child<'_>) -> Result<Listing, Malformed> {
        let mut listing = Listing { set: Wanted::read(query)?, ..Listing::default() };
        if let Some(filter) = query.child(ns::PUBSUB_FILTER, "filter") {
            listing.filter =
                filter.child(ns::DATA_FORMS, "x").map(|form| TypeFilter::read(&form)).transpose()?.flatten();
        }
        for form in query.children().filter(|child| child.is(ns::DATA_FORMS, "x")) {
            let form = DataForm::read(&form)?;
            if form.kind == FormType::Submit && form.form_type() == Some(ns::PUBSUB_EXTENDED_DISCOVERY) {
                listing.relatives = Some(Relatives::of(&form)?);
            }
        }
        Ok(listing)
    }
}

impl TypeFilter {
    /// Reads the form. One that both includes and excludes is malformed (XEP-0462 section 3.2).
    fn read(form: &Child<'_>) -> Result<Option<TypeFilter>, Malformed> {
        let form = DataForm::read(form)?;
        if form.kind != FormType::Submit || form.form_type() != Some(ns::PUBSUB_FILTER) {
            return Err(Malformed("a filter of no known kind"));
        }
        let types = |var: &str| form.get(var).map(|field| field.values.clone());
        let filter = match (types("included-types"), types("excluded-types")) {
            (Some(_), Some(_)) => return Err(Malformed("a filter that includes and excludes")),
            (Some(included), None) => TypeFilter::Included(included),
            (None, Some(excluded)) => TypeFilter::Excluded(excluded),
            (None, None) => return Ok(None),
        };
        let (TypeFilter::Included(types) | TypeFilter::Excluded(types)) = &filter;
        if types.len() > TYPES_MAX { Err(Malformed("a filter of too many types")) } else { Ok(Some(filter)) }
    }

    /// Whether a node of this type is listed.
    pub fn admits(&self, kind: &str) -> bool {
        match self {
            TypeFilter::Included(types) => types.iter().any(|included| included == kind),
            TypeFilter::Excluded(types) => !types.iter().any(|excluded| excluded == kind),
        }
    }
}

impl Relatives {
    fn of(form: &DataForm) -> Result<Relatives, Malformed> {
        let is_true = |var: &str| {
            form.value(var).map_or(Some(false), truth).ok_or(Malformed("a field that is neither true nor false"))
        };
        let depth = form.value("depth").map_or(Some(0), digits).ok_or(Malformed("a depth that is no number"))?;
        Ok(Relatives {
            kinds: Kinds::of(form)?,
            linked: is_true("linked_nodes")?,
            full_metadata: is_true("full_metadata")?,
            depth: u32::try_from(depth).unwrap_or(u32::MAX),
        })
    }
}

impl Kinds {
    fn of(form: &DataForm) -> Result<Kinds, Malformed> {
        let values = form.get("type").map(|field| &field.values[..]).unwrap_or_default();
        if values.iter().any(|value| !["items", "nodes"].contains(&value.as_str())) {
            return Err(Malformed("something that is not listed"));
        }
        let has = |kind: &str| values.iter().any(|value| value == kind);
        Ok(match (has("items"), has("nodes")) {
            (true, false) => Kinds::Items,
            (false, true) => Kinds::Nodes,
            _ => Kinds::All,
        })
    }
}
