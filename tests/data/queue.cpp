// A queue of jobs by priority.
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace jobs {

struct Job {
    int priority;
    std::string name;
};

class Queue {
public:
    explicit Queue(std::size_t limit = 100) : limit_(limit) {}

    void push(const Job& job) {
        if (jobs_.size() >= limit_) {
            throw std::overflow_error("too many jobs");
        }
        jobs_.push_back(job);
    }

    Job pop() {
        Job job = jobs_.back();
        jobs_.pop_back();
        done_[job.name] = job;
        return job;
    }

    void clear() {
    }

private:
    std::size_t limit_;
    std::vector<Job> jobs_;
    std::map<std::string, Job> done_;
};

}  // namespace jobs
