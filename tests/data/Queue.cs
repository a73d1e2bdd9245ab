using System;
using System.Collections.Generic;
using System.Linq;

namespace Jobs
{
    public class Queue
    {
        private readonly int limit;
        private readonly List<Job> jobs = new List<Job>();

        public Queue(int limit = 100)
        {
            this.limit = limit;
        }

        public void Push(Job job)
        {
            if (jobs.Count >= limit)
            {
                throw new InvalidOperationException($"more than {limit} jobs");
            }
            jobs.Add(job);
            jobs.Sort((a, b) => a.Priority.CompareTo(b.Priority));
        }

        public IEnumerable<string> Names(string tag)
        {
            var found = jobs.Where(job => job.Tags.Contains(tag));
            return found.Select(job => job.Name);
        }

        public void Clear()
        {
            throw new NotImplementedException();
        }
    }
}
