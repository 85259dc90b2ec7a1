//! XEP-0413: Order-By: in which order items are wanted.

use super::PubsubError;
use crate::ns;
use crate::payload::{Malformed, truth};
use crate::stanza::error::Condition;
use crate::xml::{Child, Tree};

/// By what items are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// When an item of this id was first published.
    Creation,
    /// When it was last published.
    Modification,
}

/// One `<order/>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// By what.
    pub by: By,
    /// From the latest to the earliest, rather than the other way round.
    pub descending: bool,
}

impl Order {
    /// The order that a request asks for. Of several the first decides; the others would only tell apart what happened at the same
    /// time, which the order in which it happened does already.
    ///
    /// An order by something else is not implemented.
    pub fn read_in(request: &Child<'_>) -> Result<Option<Order>, PubsubError> {
        let mut orders = request.children().filter(|child| child.is(ns::ORDER_BY, "order"));
        orders.next().map(|order| Order::read(&order)).transpose()
    }

    fn read(order: &Child<'_>) -> Result<Order, PubsubError> {
        let by = match &*order.attr("by").ok_or(Malformed("an order by nothing"))? {
            "creation" => By::Creation,
            "modification" => By::Modification,
            _ => return Err(Condition::FeatureNotImplemented.into()),
        };
        let descending = order.attr("desc").map_or(Some(false), |desc| truth(&desc));
        Ok(Order { by, descending: descending.ok_or(Malformed("an order that is neither one way nor the other"))? })
    }

    /// The element.
    pub fn tree(self) -> Tree {
        let by = match self.by {
            By::Creation => "creation",
            By::Modification => "modification",
        };
        Tree::new(ns::ORDER_BY, "order").attr("by", by).attr_opt("desc", self.descending.then_some("true"))
    }
}
