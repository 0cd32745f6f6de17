//! The model as the search sees it: one step is one operation on the store, of one process, or a fault.

use crate::case::Case;
use crate::check;
use crate::entries::{Description, EntryId, Saying};
use crate::history::History;
use crate::process;
use crate::rules::Rule;
use crate::search::{Model, Step};
use crate::state::{
    At, Budget, CHECKPOINTS, FILES, File, HUNG, Hung, INCARNATIONS, PROCESSES, Process, SLOTS, STARTS, State,
};
use crate::{environment, invariant::Invariant};

/// A case, and every log that was met while it was explored.
pub struct World {
    pub(crate) case: Case,
    pub(crate) history: History,
}

/// What a step is called; readable with the world at hand.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// The process, or `None` for a fault that is nobody's.
    pub(crate) process: Option<u8>,
    pub(crate) incarnation: u8,
    pub(crate) what: &'static str,
    pub(crate) entry: EntryId,
    pub(crate) number: Option<u8>,
}

impl Label {
    pub(crate) fn of(process: usize, incarnation: u8, what: &'static str) -> Self {
        Self { process: Some(process as u8), incarnation, what, entry: EntryId::NONE, number: None }
    }

    pub(crate) fn of_nobody(what: &'static str) -> Self {
        Self { process: None, incarnation: 0, what, entry: EntryId::NONE, number: None }
    }

    pub(crate) fn entry(self, entry: EntryId) -> Self {
        Self { entry, ..self }
    }

    pub(crate) fn number(self, number: u8) -> Self {
        Self { number: Some(number), ..self }
    }
}

/// The steps from one state.
pub(crate) struct Steps<'a> {
    pub(crate) world: &'a World,
    out: &'a mut Vec<Step<State, Label>>,
}

impl Steps<'_> {
    pub(crate) fn add(&mut self, label: Label, state: State, broken: u32) {
        let broken = broken | check::state(&self.world.history, &state);
        self.out.push(Step { label, state, broken });
    }
}

impl World {
    /// The world of a case, with every rule, or with one broken.
    pub fn new(case: Case, broken: Option<Rule>) -> Self {
        Self { case, history: History::new(broken) }
    }

    /// Logs that were met so far.
    pub fn logs(&self) -> usize {
        self.history.folds()
    }

    pub(crate) fn genesis(&self, zone: u8) -> Description {
        let saying = if self.case.is_processed { Saying::ProcessedGenesis } else { Saying::RawGenesis };
        Description { zone, author: 0, number: 0, saying }
    }

    /// How a schedule reads, one line a step.
    pub fn tell(&self, schedule: &[Step<State, Label>]) -> Vec<String> {
        let lines = schedule.iter().enumerate().map(|(index, step)| {
            let broken = Invariant::of(step.broken);
            let broken: Vec<_> = broken.iter().map(Invariant::to_string).collect();
            let broken = if broken.is_empty() { String::new() } else { format!("   <== breaks {}", broken.join(", ")) };
            format!("{:>3}. {}{broken}", index + 1, self.tell_label(step.label))
        });
        lines.collect()
    }

    fn tell_label(&self, label: Label) -> String {
        let Label { process, incarnation, what, entry, number } = label;
        let who = match process {
            Some(process) => format!("{}{incarnation}", char::from(b'A' + process)),
            None => "--".to_owned(),
        };
        let number = number.map_or_else(String::new, |number| format!(" {number}"));
        let entry = if entry.is_some() { format!(": {}", self.history.entries.tell(entry)) } else { String::new() };
        format!("{who:<3} {what}{number}{entry}")
    }
}

impl Model for World {
    type State = State;
    type Label = Label;

    fn initial(&self) -> State {
        let genesis = self.history.begin(self.genesis(0));
        let mut slots = [EntryId::NONE; SLOTS];
        slots[0] = self.history.entry_at(genesis, 0);
        let mut processes = [Process::default(); PROCESSES];
        for (number, process) in processes.iter_mut().enumerate().take(self.case.processes()) {
            *process =
                Process { incarnation: incarnation(number, 1), starts: 1, at: At::Idle, fold: genesis, ..*process };
        }
        State {
            zone: 0,
            slots,
            checkpoints: Default::default(),
            truth: genesis,
            bodies: [EntryId::NONE; INCARNATIONS + 1],
            files: [File::default(); FILES],
            hung: [Hung::default(); HUNG],
            processes,
            consumed: 0,
            left: self.case.budget,
        }
    }

    fn successors(&self, state: &State, steps: &mut Vec<Step<State, Label>>) {
        debug_assert!(CHECKPOINTS > 0 && Budget::default().crashes == 0);
        let mut steps = Steps { world: self, out: steps };
        for number in 0..self.case.processes() {
            process::steps(state, number, &mut steps);
        }
        environment::steps(state, &mut steps);
        if steps.out.is_empty() {
            let broken = check::rest(&self.history, state);
            if broken != 0 {
                steps.add(Label::of_nobody("nothing more can happen"), *state, broken);
            }
        }
    }
}

/// The incarnation of a process's n-th start: no other start of any process has it.
pub(crate) fn incarnation(process: usize, start: u8) -> u8 {
    debug_assert!((1..=STARTS as u8).contains(&start));
    1 + process as u8 + PROCESSES as u8 * (start - 1)
}
