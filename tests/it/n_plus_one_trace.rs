//! Traces judged elsewhere and later: the same loops by the same names.

use crate::n_plus_one::{EMAIL, evidence, judged_on, recorded, recorded_with, shop};
use crate::support;
use plimsoll::model::ScenarioReport;
use plimsoll::postgres::Target;
use plimsoll::proxy::Destination;
use plimsoll::scenarios::n_plus_one::{DetectOptions, Options, judge};
use plimsoll::trace;
use tokio_postgres::Client;

/// Two tables, and a column under another name: only the catalogue knows where it comes from.
const BUYERS: &str = "SELECT o.id, o.user_id AS buyer, u.email FROM orders o JOIN users u ON u.id = o.user_id
    ORDER BY o.id LIMIT 20";

async fn buyers(clients: Vec<Client>) {
    for order in clients[0].query(BUYERS, &[]).await.unwrap() {
        clients[0].query(EMAIL, &[&order.get::<_, i32>(1)]).await.unwrap();
    }
}

/// The one loop's fingerprint, and where its values come from.
fn found(report: &ScenarioReport) -> (String, String) {
    let [group] = evidence(report).loops.as_slice() else { panic!("{:#?}", evidence(report).loops) };
    (group.fingerprint.clone(), group.pairs[0].from.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_has_one_fingerprint_live_and_from_a_file_whatever_the_server() {
    let folder = shop();
    let server = support::server();
    let file = folder.path().join("buyers.trace");
    let options = Options { recorded: vec![recorded(buyers).await], ..Options::default() };
    let live = found(&judged_on(server, folder.path(), &options).await.unwrap());
    assert_eq!(live.1, "orders.user_id");

    let to_file = |options: &mut plimsoll::proxy::Options| {
        options.destination = Destination::File(file.clone());
    };
    let (_, _, database) = recorded_with(to_file, buyers).await;
    let named = trace::read(&file, usize::MAX).unwrap();
    let without_a_server = |trace: &trace::Trace| {
        found(&judge(&[("trace".into(), trace.clone())], &DetectOptions::default(), &[], &[]))
    };
    assert_eq!(without_a_server(&named), live);

    // A server where the same numbers mean other tables, and one where they mean nothing.
    let clone = server.clone_database(&database, "wrong").await.unwrap();
    let renamed = "ALTER TABLE orders RENAME TO invoices; ALTER TABLE invoices RENAME user_id TO payer;
        ALTER TABLE users RENAME TO people";
    server.connect_to(&clone).await.unwrap().batch_execute(renamed).await.unwrap();
    let wrong = Target::at_url(&server.url_for(&clone)).await.unwrap();
    let right = Target::at_url(&server.url_for(&database)).await.unwrap();
    let options = Options { traces: vec![file.clone()], ..Options::default() };
    for (target, is_batched) in [(&wrong, false), (server, false), (&right, true)] {
        let report = judged_on(target, folder.path(), &options).await.unwrap();
        assert_eq!(found(&report), live);
        assert_eq!(evidence(&report).batched.len() == 1, is_batched, "{:?}", evidence(&report).not_batched);
    }
    let report = judged_on(server, folder.path(), &options).await.unwrap();
    assert!(evidence(&report).not_batched[0].reason.contains("name that by --url"));

    // An older trace has no names: it gets none, neither from this server nor from the right one.
    let unnamed = trace::Trace { tables: Vec::new(), ..named };
    trace::write(&file, &unnamed).unwrap();
    let expected = without_a_server(&unnamed);
    assert_eq!(expected, (live.0, "buyer".into()));
    for target in [&wrong, &right] {
        assert_eq!(found(&judged_on(target, folder.path(), &options).await.unwrap()), expected);
    }
}
