using System.Collections.Concurrent;

namespace Forebay.Caching;

/// <summary>
/// Bounds how many cache files stay loaded (and open) while nobody reads them: a clock over the files in order of loading.
/// A file that was used since the hand last passed gets another round.
/// </summary>
internal sealed class OpenFiles(int capacity)
{
    private readonly ConcurrentQueue<CacheFile> _clock = new();

    internal bool IsOverfull => _clock.Count > capacity;

    /// <summary>A quarter beyond the bound: maintenance alone does not keep up.</summary>
    internal bool IsFarOverfull => _clock.Count > capacity + (capacity / 4);

    internal void Opened(CacheFile file) => _clock.Enqueue(file);

    /// <summary>Next file to close, or null when there are few enough; the caller decides whether it may go and otherwise gives it back by <see cref="Opened"/>.</summary>
    internal CacheFile? Next() => IsOverfull ? NextOfAll() : null;

    /// <summary>As <see cref="Next"/>, also when there are few: for when the process has no descriptor left.</summary>
    internal CacheFile? NextOfAll() => _clock.TryDequeue(out CacheFile? file) ? file : null;
}
