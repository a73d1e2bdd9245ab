package jobs;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A queue of jobs by priority. */
public class Queue {
    private final int limit;
    private final List<Job> jobs = new ArrayList<>();
    private final Map<String, Job> done = new HashMap<>();

    public Queue(int limit) {
        this.limit = limit;
    }

    public void push(Job job) {
        if (jobs.size() >= limit) {
            throw new IllegalStateException("more than " + limit + " jobs");
        }
        jobs.add(job);
        jobs.sort((a, b) -> Integer.compare(a.priority, b.priority));
    }

    public Job pop() {
        Job job = jobs.remove(0);
        done.put(job.name, job);
        return job;
    }

    public void clear() {
        throw new UnsupportedOperationException("not yet");
    }
}
