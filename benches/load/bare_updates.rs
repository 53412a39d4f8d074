//! What PostgreSQL does by itself on this machine: updates of one row each, every one with a commit
//! of its own, on so many connections that each wait for one at a time.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

/// No two connections update the same one.
const ROWS: i64 = 10_000;
const TABLE: &str = "create table sessions (id bigint primary key, generation bigint not null, at bigint not null)";
const UPDATE: &str = "update sessions set generation = generation + 1, at = $1 where id = $2";

/// Makes the table in an empty database.
pub(crate) async fn prepare(url: &str) -> anyhow::Result<()> {
    let client = connect(url).await?;
    let fill = format!("insert into sessions select id, 0, 0 from generate_series(0, {}) id", ROWS - 1);
    Ok(client.batch_execute(&format!("{TABLE}; {fill}")).await?)
}

/// Updates a second, for so long.
pub(crate) async fn rate(url: &str, connections: u32, duration: Duration) -> anyhow::Result<f64> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(connect(url).await?);
    }
    let begun = Instant::now();
    let mut updating = JoinSet::new();
    for (number, client) in (0..).zip(clients) {
        updating.spawn(update(client, (number, i64::from(connections)), begun + duration));
    }
    let counts = updating.join_all().await.into_iter().collect::<anyhow::Result<Vec<u32>>>()?;
    Ok(f64::from(counts.iter().sum::<u32>()) / begun.elapsed().as_secs_f64())
}

async fn update(client: Client, (first, step): (i64, i64), until: Instant) -> anyhow::Result<u32> {
    let statement = client.prepare(UPDATE).await?;
    let mut count = 0;
    while Instant::now() < until {
        let row = (first + i64::from(count) * step) % ROWS;
        client.execute(&statement, &[&i64::from(count), &row]).await?;
        count += 1;
    }
    Ok(count)
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        // What is asked on it learns of its end.
        let _ = connection.await;
    });
    Ok(client)
}
