//! The cost of a process that has nothing to do: memory and processor time.

use std::error::Error;
use std::time::Duration;

use crate::server::Mailmoor;

const WATCHED: Duration = Duration::from_secs(20);

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let server = Mailmoor::start(&[])?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = server.ticks()?;
    tokio::time::sleep(WATCHED).await;
    let used = (server.ticks()? - before) * 10;
    println!("\nIdle: {:.1} MiB resident, {used} ms of processor time in {} s", server.memory()?, WATCHED.as_secs());
    Ok(())
}
