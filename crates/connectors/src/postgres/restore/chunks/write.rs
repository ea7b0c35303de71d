//! The transactions of a large tenant: begun with the first row, committed with a ledger row, the last with the proof.

use super::Work;
use crate::postgres::restore::back;
use crate::postgres::restore::copy_stream::{BINARY_HEAD, BINARY_TAIL, Form};
use crate::postgres::restore::error::RestoreError;
use crate::postgres::restore::ledger::{Detail, chunk_key};
use crate::postgres::restore::load::{self, Deed, Opened, Restored, Ticket};
use crate::postgres::restore::send::Copy;
use crate::postgres::restore::statements::Before;
use crate::postgres::restore::tally::Tally;
use crate::postgres::restore::ties::Open;
use crate::postgres::restore::{differing, large_objects, references};

impl Work<'_> {
    pub(super) async fn begin(&mut self) -> Result<Opened, RestoreError> {
        load::begin(&mut self.live.connection).await?;
        // From here on there is something to roll back.
        self.before = Some(Before::default());
        let opened = load::open(self.live, self.statements, self.ticket).await?;
        if let Opened::New { before, .. } = &opened {
            self.before = Some(before.clone());
        }
        Ok(opened)
    }

    pub(super) async fn end(&mut self) -> Result<(), RestoreError> {
        self.before = None;
        load::rollback(&mut self.live.connection).await
    }

    /// Rows of the transaction at work.
    pub(super) fn rows(&self) -> u64 {
        self.wrote.iter().map(|tally| tally.rows).sum()
    }

    pub(super) async fn write(&mut self, table: usize, stream: Vec<u8>, tally: Tally) -> Result<(), RestoreError> {
        self.tallies[table].join(&tally);
        self.send(table, stream, tally).await
    }

    async fn send(&mut self, table: usize, mut stream: Vec<u8>, tally: Tally) -> Result<(), RestoreError> {
        if tally.rows == 0 {
            return Ok(());
        }
        if self.before.is_none() {
            self.begin().await?;
        }
        let sheet = &self.pair.sheets.all[table];
        self.way.pace.wait(stream.len()).await;
        let mut copy = Copy::begin(&mut self.live.connection, sheet).await?;
        if sheet.form == Form::Binary {
            copy.send(BINARY_HEAD).await?;
            stream.extend_from_slice(BINARY_TAIL);
        }
        copy.send(&stream).await?;
        copy.finish(tally.rows).await?;
        self.wrote[table].join(&tally);
        Ok(())
    }

    /// Commits a part with a ledger row of its own. What its rows refer to outside of the tenant is there, and foreign
    /// keys keep it from now on; what they refer to inside may still come.
    pub(super) async fn commit(&mut self) -> Result<(), RestoreError> {
        let Some(before) = self.before.clone() else { return Ok(()) };
        let (mut left, rows) = (self.ties.asked(), self.rows());
        left.retain(|(table, at, _)| {
            let sheets = &self.pair.sheets.all;
            let parent = sheets[*table].references[*at].parent;
            let inside = sheets.iter().any(|sheet| sheet.place == parent);
            if inside {
                self.later.insert((*table, *at));
            }
            !inside
        });
        let settled =
            references::settle(&mut self.live.connection, &mut self.aside, self.pair, self.ticket, left).await?;
        let number = self.chunks.transactions + 1;
        let key = chunk_key(self.ticket.key, number);
        let detail = Detail {
            tables: back::named(self.pair, &self.wrote),
            shared: settled.made.clone(),
            shared_differs: settled.differs.clone(),
            chunk: Some(number),
            ..Detail::default()
        };
        let deed = Deed { rows, inserted: rows, updated: 0, detail };
        let ticket = Ticket { key: &key, ..self.ticket };
        load::seal(self.live, self.pair, self.statements, &[(ticket, deed)], &before).await?;
        self.before = None;
        load::commit(&mut self.live.connection).await?;
        self.chunks.add(rows, &settled.made);
        self.differs.push(settled.differs);
        self.wrote.fill(Tally::default());
        Ok(())
    }

    /// Writes the tenant's own row, proves the whole and commits it.
    pub(super) async fn last(
        &mut self,
        own: Vec<u8>,
        of_own: Vec<(usize, usize, Open)>,
    ) -> Result<Restored, RestoreError> {
        if self.before.is_none() {
            self.begin().await?;
        }
        if let Some(root) = self.root {
            self.send(root, own, self.tallies[root]).await?;
        }
        let Some(before) = self.before.clone() else { return Err(RestoreError::Stream("it has ended")) };
        let (pair, tenant) = (self.pair, self.ticket.tenant);
        let later = self.later.iter().map(|(table, at)| (*table, *at, Open::of_all_rows()));
        let left = of_own.into_iter().chain(later).chain(self.ties.left(&pair.sheets)).collect();
        let settled = references::settle(&mut self.live.connection, &mut self.aside, pair, self.ticket, left).await?;
        if pair.has_large_objects() {
            large_objects::restore(&mut self.live.connection, &mut self.aside, pair, tenant).await?;
        }
        let rows = self.tallies.iter().map(|tally| tally.rows).sum();
        let begun = std::time::Instant::now();
        let back = back::read_back(&mut self.live.connection, pair, self.statements, tenant, rows).await?;
        back::compare(pair, tenant, &self.tallies, &back)?;
        self.differs.push(settled.differs);
        let mut all = self.chunks.clone();
        all.add(self.rows(), &settled.made);
        let restored = Restored {
            rows,
            inserted: all.inserted,
            tables: back::named(pair, &self.tallies),
            shared: all.shared,
            shared_differs: differing::joined(&self.differs),
            chunks: (self.chunks.transactions > 0).then(|| self.chunks.clone()),
            verifying: begun.elapsed(),
            ..Restored::default()
        };
        load::close(self.live, pair, self.statements, self.ticket, &restored, &before).await?;
        self.before = None;
        load::commit(&mut self.live.connection).await?;
        Ok(restored)
    }
}
