using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>
/// Who waits at the device, and how. Normally every thread of a session sleeps in read(2). While short requests come quickly, one thread, the
/// soloist, asks for the next one over and over for a few microseconds instead of sleeping, and the others stay away: going to sleep and waking
/// costs more than such a request, and the kernel would wake a thread for each. Thread-safe.
/// </summary>
/// <remarks>
/// It begins after <see cref="QuickRequests"/> requests at more than <see cref="QuickPerSecond"/> a second, and ends with the first time that none
/// came while it asked, with a request that takes longer, when a queue forms, or when somebody else wanted the processor. So an idle or slow mount
/// never spins, and one that is busy with anything else than small files does not for long.
/// </remarks>
internal sealed class SoloReading : IDisposable
{
    /// <summary>Requests in a row that must come quickly.</summary>
    internal const int QuickRequests = 32;

    /// <summary>What quickly is.</summary>
    internal const int QuickPerSecond = 10_000;

    /// <summary>Requests in a row that were there already: more than one thread can keep up with.</summary>
    internal const int LongestQueue = 8;

    private const int Nobody = -1;

    /// <summary>A thread that asks runs every microsecond; one that did not was not let run.</summary>
    internal static readonly long Preempted = Stopwatch.Frequency / 1_000_000 * 30;

    /// <summary>Until it may begin again after it was in the way.</summary>
    internal static readonly long Rest = Stopwatch.Frequency / 1_000 * 5;

    /// <summary>A soloist that answers nothing for so long does not come back soon: the others take the device.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(20);

    private readonly ManualResetEventSlim _open = new(initialState: true, spinCount: 0);
    private readonly long _patience;
    private int _soloist = Nobody;
    private int _requests;
    private long _windowStart;
    private long _restUntil = long.MinValue;
    private int _queued;
    private long _asked;
    private bool _ended;
    private long _begun;

    /// <param name="patience">How long to ask for a request before going to sleep; zero never begins.</param>
    /// <param name="processors">With one alone, whoever asks keeps the others from coming with a request.</param>
    internal SoloReading(TimeSpan patience, int processors) => _patience = processors > 1 ? (long)(patience.TotalSeconds * Stopwatch.Frequency) : 0;

    /// <summary>How often a thread became the soloist.</summary>
    internal long Begun => Volatile.Read(ref _begun);

    /// <summary>True while one thread asks for requests and the others stay away.</summary>
    internal bool IsOn => Volatile.Read(ref _soloist) != Nobody;

    internal bool IsSoloist(int thread) => Volatile.Read(ref _soloist) == thread;

    /// <summary>True for requests that are answered in a few microseconds or later by another thread, whatever the caches hold.</summary>
    internal static bool IsShort(ReadOnlySpan<byte> message)
        => MemoryMarshal.TryRead(message, out FuseInHeader header)
            && (FuseOpcode)header.Opcode is FuseOpcode.Open or FuseOpcode.Release or FuseOpcode.Lookup or FuseOpcode.GetAttr or FuseOpcode.Forget or FuseOpcode.BatchForget
                or FuseOpcode.OpenDirectory or FuseOpcode.ReleaseDirectory or FuseOpcode.Flush or FuseOpcode.Access or FuseOpcode.Interrupt or FuseOpcode.Statx or FuseOpcode.StatFs;

    /// <summary>Counts a request, and makes the thread that got it the soloist when they come quickly.</summary>
    /// <returns>True now and then for the soloist: the other threads must be called back from the device.</returns>
    internal bool Count(int thread, long now)
    {
        if (_patience == 0)
        {
            return false;
        }

        // Counted racily: at worst it begins a few requests later.
        if (++_requests < QuickRequests)
        {
            return false;
        }

        int soloist = Volatile.Read(ref _soloist);
        if (soloist != Nobody)
        {
            _requests = 0;
            return soloist == thread;
        }

        bool isQuick = now - _windowStart < Stopwatch.Frequency / QuickPerSecond * QuickRequests;
        _requests = 0;
        _windowStart = now;
        if (!isQuick || now < Volatile.Read(ref _restUntil) || Volatile.Read(ref _ended) || Interlocked.CompareExchange(ref _soloist, thread, Nobody) != Nobody)
        {
            return false;
        }

        _queued = 0;
        Volatile.Write(ref _begun, _begun + 1);
        _open.Reset();
        if (Volatile.Read(ref _ended))
        {
            _open.Set();
        }

        return true;
    }

    /// <summary>For the soloist: asks until there is a request. False when none came in time and all threads sleep again.</summary>
    /// <param name="thread">The soloist.</param>
    /// <param name="isThere">Asks once, without waiting.</param>
    /// <param name="state">For <paramref name="isThere"/>.</param>
    internal bool TryAwait<T>(int thread, Func<T, bool> isThere, T state)
    {
        Volatile.Write(ref _asked, _asked + 1);
        if (isThere(state))
        {
            if (++_queued < LongestQueue)
            {
                return true;
            }

            End(thread, mustRest: true);
            return true;
        }

        _queued = 0;
        long start = Stopwatch.GetTimestamp();
        long last = start;
        while (!isThere(state))
        {
            long now = Stopwatch.GetTimestamp();
            if (now - last > Preempted)
            {
                End(thread, mustRest: true);
                return false;
            }

            if (now - start > _patience || Volatile.Read(ref _ended))
            {
                End(thread, mustRest: false);
                return false;
            }

            last = now;
        }

        return true;
    }

    /// <summary>For the soloist: the others come back. It rests when it was in somebody's way.</summary>
    internal void End(int thread, bool mustRest)
    {
        if (mustRest)
        {
            Volatile.Write(ref _restUntil, Stopwatch.GetTimestamp() + Rest);
        }

        if (Interlocked.CompareExchange(ref _soloist, Nobody, thread) == thread)
        {
            _requests = 0;
            _open.Set();
        }
    }

    /// <summary>For the others: stays away while there is a soloist, unless that one is stuck in a request.</summary>
    internal void StayAway()
    {
        long asked = Volatile.Read(ref _asked);
        while (Volatile.Read(ref _soloist) is not Nobody and int soloist && !_open.Wait(Patience))
        {
            long now = Volatile.Read(ref _asked);
            if (now == asked)
            {
                End(soloist, mustRest: true);
            }

            asked = now;
        }
    }

    /// <summary>The session ends: nobody stays away any more.</summary>
    internal void EndForGood()
    {
        Volatile.Write(ref _ended, true);
        _open.Set();
    }

    public void Dispose() => _open.Dispose();
}
