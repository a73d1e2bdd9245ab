import { useState } from 'react';
import { Job } from './queue';

interface Props {
  jobs: Job[];
  title?: string;
}

export function JobList({ jobs, title = 'Jobs' }: Props) {
  const [tag, setTag] = useState('');
  const shown = jobs.filter((job) => !tag || job.tags?.includes(tag));
  return (
    <section className="jobs">
      <h2>{title}</h2>
      <input value={tag} onChange={(event) => setTag(event.target.value)} />
      <ul>
        {shown.map((job) => (
          <li key={job.name}>{job.name}</li>
        ))}
      </ul>
    </section>
  );
}

export function clear(jobs: Job[]): void {}
