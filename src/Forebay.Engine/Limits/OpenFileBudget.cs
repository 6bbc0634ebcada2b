using System.Runtime.InteropServices;
using Forebay.Core;

namespace Forebay.Engine.Limits;

/// <summary>How the process's open files are shared out. Sum of the parts ≤ <see cref="Limit"/>.</summary>
/// <param name="Limit">RLIMIT_NOFILE after it was raised as far as allowed.</param>
/// <param name="Reserved">For the index, logs, libraries and connections to under-stores.</param>
/// <param name="Connections">For clients; accept no more.</param>
/// <param name="CachedFiles">For open cache files; close the least used beyond.</param>
public sealed partial record OpenFileBudget(int Limit, int Reserved, int Connections, int CachedFiles)
{
    /// <summary>Least limit that a node can work with.</summary>
    public const int LeastLimit = 256;

    private const int BaseReserve = 96;

    // More than this is never used well, and "unlimited" must still become a number of array slots.
    private const int MostUsed = 1 << 20;

    /// <summary>Raises the soft limit of this process to its hard limit and shares it out.</summary>
    /// <param name="wantedConnections">Most client connections wanted.</param>
    /// <param name="underStoreConnections">Most connections to under-stores, all together.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: the hard limit is below <see cref="LeastLimit"/>.</exception>
    public static OpenFileBudget Raise(int wantedConnections, int underStoreConnections)
    {
        if (Native.GetLimit(Native.OpenFiles, out Native.ResourceLimit limit) != 0)
        {
            // Without an answer the usual default is the safe guess.
            return Split(1_024, wantedConnections, underStoreConnections);
        }

        if (limit.Soft < limit.Hard)
        {
            var raised = new Native.ResourceLimit { Soft = limit.Hard, Hard = limit.Hard };
            if (Native.SetLimit(Native.OpenFiles, in raised) == 0)
            {
                limit = raised;
            }
        }

        return Split((int)Math.Min(limit.Soft, MostUsed), wantedConnections, underStoreConnections);
    }

    /// <summary>Shares a limit out: a reserve first, then clients up to half of the rest, the remainder for cache files.</summary>
    public static OpenFileBudget Split(int limit, int wantedConnections, int underStoreConnections)
    {
        if (limit < LeastLimit)
        {
            throw new ForebayException(
                ErrorKind.InvalidArgument, $"The limit of open files is {limit}; a node needs at least {LeastLimit}. Raise it (ulimit -n, LimitNOFILE=).");
        }

        int reserved = Math.Min(BaseReserve + underStoreConnections, limit / 2);
        int rest = limit - reserved;
        int connections = Math.Min(wantedConnections, rest / 2);
        return new OpenFileBudget(limit, reserved, connections, rest - connections);
    }

    private static partial class Native
    {
        public const int OpenFiles = 7; // RLIMIT_NOFILE on Linux

        [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
        public static partial int GetLimit(int resource, out ResourceLimit limit);

        [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
        public static partial int SetLimit(int resource, in ResourceLimit limit);

        /// <summary>struct rlimit: two rlim_t, 8 bytes each on 64-bit Linux; ~0 means unlimited.</summary>
        [StructLayout(LayoutKind.Sequential)]
        public struct ResourceLimit
        {
            public ulong Soft;
            public ulong Hard;
        }
    }
}
