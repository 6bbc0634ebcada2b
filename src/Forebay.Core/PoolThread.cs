using System.Runtime.CompilerServices;

namespace Forebay.Core;

/// <summary>
/// Takes work that may wait for a disk or a lock to a thread of the pool. Edges run what is hot on the threads of their event loops, where one
/// wait would hold up all connections: whatever leaves the hot path awaits <see cref="SwitchAsync"/> first.
/// </summary>
public static class PoolThread
{
    /// <summary>True on a thread of the pool: waiting here holds up nobody else.</summary>
    public static bool IsCurrent => Thread.CurrentThread.IsThreadPoolThread;

    /// <summary>Goes on at once on a thread of the pool, else after a hop to one.</summary>
    public static Switch SwitchAsync() => default;

    /// <summary>What <see cref="SwitchAsync"/> gives to <c>await</c>.</summary>
    public readonly struct Switch : ICriticalNotifyCompletion
    {
        /// <summary>Whether no hop is needed.</summary>
        public bool IsCompleted => IsCurrent;

        /// <summary>Itself.</summary>
        public Switch GetAwaiter() => this;

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
