//! Registries of others.

use super::Unseen;
use crate::router::Routes;
use volt_api::operations::*;
use volt_api::types::*;
use volt_engine::Engine;
use volt_model::registry::Account;

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes.plain::<RegistryLoginOp>(|cx, _, body| {
        let account = (body.user.as_str(), body.password.as_str());
        let known = cx.state.registry_login(&body.name, account, &Unseen(cx))?;
        Ok(RegistryKnown { name: known.registry, user: known.user, checked: known.is_checked })
    })
}

/// Who asks, and at which registry.
pub(super) fn account(account: RegistryAccount) -> (String, Account) {
    let RegistryAccount { registry, user, password, identity_token } = account;
    let account = if identity_token.is_empty() {
        Account::Password { user, password }
    } else {
        Account::Identity(identity_token)
    };
    (registry, account)
}
