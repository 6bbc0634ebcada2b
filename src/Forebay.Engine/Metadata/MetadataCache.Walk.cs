using System.Runtime.CompilerServices;
using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <content>Walks.</content>
internal sealed partial class MetadataCache
{
    /// <summary>
    /// Gives every object below a prefix once, in no order, listing several places at the same time. What is known and fresh is not asked
    /// again. Objects that come or go meanwhile may or may not be among them. Stop early by disposing the enumerator.
    /// </summary>
    /// <param name="prefix">Full prefix; the mount point's own for everything.</param>
    /// <param name="parallelism">Most questions at the same time, ≥ 1.</param>
    /// <param name="cancellationToken">Ends the walk.</param>
    /// <exception cref="ForebayException">As <see cref="IUnderStore.ListAsync"/>; what came before is right but not all.</exception>
    public async IAsyncEnumerable<ObjectStat> WalkAsync(
        string prefix, int parallelism, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(parallelism, 1);
        long total = 0;
        await using var walk = new PrefixWalk(this, prefix, parallelism, cancellationToken);
        await foreach (ArraySegment<ListEntry> page in walk.Pages.ReadAllAsync(cancellationToken))
        {
            foreach (ListEntry entry in page)
            {
                if (entry.Stat is { } stat)
                {
                    total += stat.Length;
                    yield return stat;
                }
            }
        }

        if (_prefix.StartsWith(prefix, StringComparison.Ordinal) && prefix.Length == _prefix.Length)
        {
            Volatile.Write(ref _totalBytes, total);
        }
    }
}
