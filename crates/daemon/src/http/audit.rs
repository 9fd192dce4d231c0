//! The audit trail, which this crate itself keeps.

use super::fields::Fields;
use crate::audit::{Filter, Outcome, Record, find, tail};
use crate::router::{Failure, Routes};
use std::io;
use volt_api::Problem;
use volt_api::operations::{AuditListOp, AuditShowOp};
use volt_api::types::{AuditList, AuditRecord};
use volt_engine::Engine;
use volt_model::kind::ErrorKind;
use volt_model::time::parse_point;

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .plain::<AuditListOp>(|cx, params, _| {
            let found = tail(cx.trail(), &filter(params)?).map_err(|e| unreadable(&e))?;
            Ok(found.into_iter().map(shown).collect())
        })
        .plain::<AuditShowOp>(|cx, params, _| {
            let found = find(cx.trail(), &params.request_id).map_err(|e| unreadable(&e))?;
            let title = "The audit trail has no such request";
            let missing = || Problem::new(ErrorKind::NotFound, title).about(params.request_id);
            Ok(shown(found.ok_or_else(missing)?))
        })
}

fn filter(params: AuditList) -> Result<Filter, Failure> {
    let now = jiff::Timestamp::now();
    let mut fields = Fields::default();
    let since =
        params.since.as_deref().and_then(|t| fields.with("since", t, |t| parse_point(t, now)));
    fields.finish(Some(Filter {
        lines: params.lines.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
        user: params.user,
        action: params.action,
        resource: params.resource,
        since,
    }))
}

fn unreadable(error: &io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => ErrorKind::Permission,
        _ => ErrorKind::General,
    };
    Problem::new(kind, "The audit trail can't be read").because(error).into()
}

fn shown(record: Record) -> AuditRecord {
    AuditRecord {
        timestamp: record.timestamp,
        user: record.user,
        uid: record.uid,
        action: record.action,
        resource: record.resource,
        result: match record.result {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Refused => "refused",
        }
        .to_owned(),
        request_id: record.request_id,
        error: record.error,
    }
}
