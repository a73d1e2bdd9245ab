# A queue of jobs by priority.
require 'set'

Job = Struct.new(:priority, :name, :tags)

class Queue
  attr_reader :limit, :done

  def initialize(limit = 100)
    @limit = limit
    @jobs = []
    @done = {}
  end

  def push(job)
    raise ArgumentError, "more than #{@limit} jobs" if @jobs.size >= @limit
    @jobs << job
    @jobs.sort_by! { |each| each.priority }
  end

  def names(tag = nil)
    found = @jobs.select { |job| tag.nil? || job.tags.include?(tag) }
    found.map do |job|
      job.name.to_s
    end
  end

  def clear
    # TODO: forget all jobs
  end
end
