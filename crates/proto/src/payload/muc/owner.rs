//! `<query/>` of `muc#owner`: the form with the configuration of a room, and the room's end (section 10).

use super::Destroy;
use crate::ns;
use crate::payload::Malformed;
use crate::payload::data_form::{DataForm, FormType};
use crate::stanza::iq::IqType;
use crate::xml::{Child, Tree};

/// A request of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerRequest {
    /// Section 10.2: the form.
    Configuration,
    /// Sections 10.1.2, 10.1.3 and 10.2: the form, filled in or cancelled. Without fields it takes a new room as it is.
    Configure(DataForm),
    /// Section 10.9.
    Destroy(Destroy),
}

impl OwnerRequest {
    /// Reads `<query/>` of an iq-get or an iq-set.
    pub fn read(kind: IqType, query: &Child<'_>) -> Result<OwnerRequest, Malformed> {
        if kind == IqType::Get {
            return Ok(OwnerRequest::Configuration);
        }
        match (query.child(ns::DATA_FORMS, "x"), query.child(ns::MUC_OWNER, "destroy")) {
            (Some(form), None) => OwnerRequest::configure(DataForm::read(&form)?),
            (None, Some(destroy)) => Ok(OwnerRequest::Destroy(Destroy::read(&destroy)?)),
            (None, None) => Err(Malformed("a change of nothing")),
            (Some(_), Some(_)) => Err(Malformed("more than one change")),
        }
    }

    fn configure(form: DataForm) -> Result<OwnerRequest, Malformed> {
        if !matches!(form.kind, FormType::Submit | FormType::Cancel) {
            return Err(Malformed("a form that was not filled in"));
        }
        if form.form_type().is_some_and(|meant| meant != ns::MUC_ROOMCONFIG) {
            return Err(Malformed("a form for something else"));
        }
        Ok(OwnerRequest::Configure(form))
    }

    /// Whether it is an iq-get or an iq-set.
    pub fn kind(&self) -> IqType {
        match self {
            OwnerRequest::Configuration => IqType::Get,
            OwnerRequest::Configure(_) | OwnerRequest::Destroy(_) => IqType::Set,
        }
    }

    /// The element, as a client writes it.
    pub fn tree(&self) -> Tree {
        let query = Tree::new(ns::MUC_OWNER, "query");
        match self {
            OwnerRequest::Configuration => query,
            OwnerRequest::Configure(form) => query.child(form.tree()),
            OwnerRequest::Destroy(destroy) => query.child(destroy.tree(ns::MUC_OWNER)),
        }
    }
}

/// The answer to [`OwnerRequest::Configuration`].
pub fn configuration_tree(form: &DataForm) -> Tree {
    Tree::new(ns::MUC_OWNER, "query").child(form.tree())
}
