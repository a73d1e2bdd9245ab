//! A queue of jobs by priority.
use std::collections::{BinaryHeap, HashMap};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Job {
    pub priority: u32,
    pub name: String,
}

pub struct Queue {
    limit: usize,
    jobs: BinaryHeap<Job>,
    done: HashMap<String, Job>,
}

impl Queue {
    pub fn new(limit: usize) -> Self {
        Queue { limit, jobs: BinaryHeap::new(), done: HashMap::new() }
    }

    pub fn push(&mut self, job: Job) -> Result<(), String> {
        if self.jobs.len() >= self.limit {
            return Err(format!("more than {} jobs", self.limit));
        }
        self.jobs.push(job);
        Ok(())
    }

    pub fn pop(&mut self) -> Option<Job> {
        let job = self.jobs.pop()?;
        self.done.insert(job.name.clone(), job.clone());
        Some(job)
    }

    pub fn clear(&mut self) {
        todo!()
    }
}
