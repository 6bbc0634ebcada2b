using System.Runtime.CompilerServices;

namespace Forebay.Core;

/// <summary>
/// Tells the threads of event loops from all others. Edges run what is hot on such threads, where one wait would hold up all connections:
/// whatever leaves the hot path and may wait for a disk or a lock, or compute long, awaits <see cref="LeaveAsync"/> first.
/// </summary>
public static class LoopThread
{
    [ThreadStatic]
    private static bool _isCurrent;

    /// <summary>True on the thread of an event loop: nothing here may wait.</summary>
    public static bool IsCurrent => _isCurrent;

    /// <summary>Makes the calling thread one of an event loop, for its life.</summary>
    public static void MarkCurrent() => _isCurrent = true;

    /// <summary>On the thread of an event loop goes on after a hop to the pool, elsewhere at once.</summary>
    public static Hop LeaveAsync() => default;

    /// <summary>What <see cref="LeaveAsync"/> gives to <c>await</c>.</summary>
    public readonly struct Hop : ICriticalNotifyCompletion
    {
        /// <summary>Whether no hop is needed.</summary>
        public bool IsCompleted => !_isCurrent;

        /// <summary>Itself.</summary>
        public Hop GetAwaiter() => this;

        /// <summary>Nothing to give.</summary>
        public void GetResult()
        {
        }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => ThreadPool.QueueUserWorkItem(static action => action(), continuation, preferLocal: false);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => ThreadPool.UnsafeQueueUserWorkItem(static action => action(), continuation, preferLocal: false);
    }
}
