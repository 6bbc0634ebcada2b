namespace Forebay.Engine.Metadata;

/// <summary>Changes that are written to a <see cref="MetadataFile"/> together.</summary>
internal abstract class KeptChanges
{
    internal abstract bool IsEmpty { get; }

    /// <summary>Completes when they were written, or could not be.</summary>
    internal TaskCompletionSource Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>
/// A part of what a mount point keeps: its changes are noted here, at once and in memory, and written in batches by the <see cref="MetadataFile"/>. Thread-safe.
/// </summary>
internal abstract class KeptPart<TChanges>
    where TChanges : KeptChanges, new()
{
    /// <summary>Guards the changes; never held while a file is read or written.</summary>
    protected Lock Gate { get; } = new();

    /// <summary>What waits to be written.</summary>
    protected TChanges Pending { get; private set; } = new();

    /// <summary>What is being written; it is taken from here only when it is in the file.</summary>
    protected TChanges? Committing { get; private set; }

    /// <summary>What was noted as kept in an earlier one is not kept any more.</summary>
    protected int Epoch { get; set; } = 1;

    /// <summary>Completes when everything noted until now was written, or could not be.</summary>
    public Task WrittenAsync()
    {
        lock (Gate)
        {
            return !Pending.IsEmpty ? Pending.Written.Task : Committing?.Written.Task ?? Task.CompletedTask;
        }
    }

    /// <summary>The changes to write now; null when there are none. Ends with <see cref="EndCommit"/>.</summary>
    internal TChanges? BeginCommit()
    {
        lock (Gate)
        {
            if (Pending.IsEmpty)
            {
                return null;
            }

            Committing = Pending;
            Pending = new TChanges();
            return Committing;
        }
    }

    /// <summary>What was begun is in the file, or waits again.</summary>
    internal void EndCommit(bool isWritten)
    {
        TChanges? ended;
        lock (Gate)
        {
            ended = Committing;
            Committing = null;
            if (ended is not null && !isWritten)
            {
                TakeBack(ended);
            }
        }

        ended?.Written.TrySetResult();
    }

    /// <summary>The file is a new, empty one: nothing is kept.</summary>
    internal void BeginAnew()
    {
        lock (Gate)
        {
            Epoch++;
        }
    }

    /// <summary>Puts changes that could not be written before those that wait. The caller holds the gate.</summary>
    protected abstract void TakeBack(TChanges older);
}
