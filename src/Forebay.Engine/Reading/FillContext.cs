using Forebay.Core;
using Forebay.Engine.Limits;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;

namespace Forebay.Engine.Reading;

/// <summary>What fills of one mount point share: the store, its options, and the slots that bound how many ranges are under way.</summary>
internal sealed class FillContext
{
    internal FillContext(IUnderStore store, MetadataCache metadata, FillOptions options, BufferPool buffers, TimeProvider time)
    {
        Store = store;
        Metadata = metadata;
        Options = options;
        Buffers = buffers;
        Time = time;
        Slots = new SemaphoreSlim(options.MaxConcurrentRanges, options.MaxConcurrentRanges);
        Backoff = new RetryBackoff(options);
    }

    internal IUnderStore Store { get; }

    internal MetadataCache Metadata { get; }

    internal FillOptions Options { get; }

    internal BufferPool Buffers { get; }

    internal TimeProvider Time { get; }

    /// <summary>One slot per range under way. Fills for a waiting reader queue for it; read-ahead only starts while some are free.</summary>
    internal SemaphoreSlim Slots { get; }

    internal RetryBackoff Backoff { get; }

    internal bool HasFreeSlots => Slots.CurrentCount > 0;
}
