// Package queue keeps jobs by priority.
package queue

import (
	"fmt"
	"sort"
)

// Job is one thing to do.
type Job struct {
	Name     string
	Priority int
	Tags     []string
}

type Queue struct {
	limit int
	jobs  []Job
	done  map[string]Job
}

func New(limit int) *Queue {
	return &Queue{limit: limit, done: make(map[string]Job)}
}

func (q *Queue) Push(job Job) error {
	if len(q.jobs) >= q.limit {
		return fmt.Errorf("more than %d jobs", q.limit)
	}
	q.jobs = append(q.jobs, job)
	sort.Slice(q.jobs, func(a, b int) bool { return q.jobs[a].Priority < q.jobs[b].Priority })
	return nil
}

func (q *Queue) Pop() Job {
	job := q.jobs[0]
	q.jobs = q.jobs[1:]
	q.done[job.Name] = job
	return job
}

func (q *Queue) Clear() {
	panic("not implemented")
}
