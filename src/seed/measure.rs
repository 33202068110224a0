//! Measures the filled database.

use super::error::Error;
use super::obtained::ObtainedColumn;
use super::plan::SeedPlan;
use crate::postgres::Session;

pub(super) async fn measure(_session: &Session, _plan: &SeedPlan) -> Result<Vec<ObtainedColumn>, Error> {
    Ok(Vec::new())
}
