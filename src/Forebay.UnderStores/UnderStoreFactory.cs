using Forebay.Core;
using Forebay.UnderStores.Local;
using Forebay.UnderStores.S3;

namespace Forebay.UnderStores;

/// <summary>Opens under-stores.</summary>
public static class UnderStoreFactory
{
    /// <summary>Makes the store; nothing is contacted until the first call.</summary>
    /// <param name="options">Which store.</param>
    /// <param name="connectTimeout">Longest wait for a TCP and TLS connection; beyond it calls fail with <see cref="ErrorKind.Timeout"/>.</param>
    /// <param name="maxConnections">Most connections (S3) or I/O threads (directory), ≥ 1; further calls wait for one.</param>
    /// <param name="timeProvider">Clock that requests are signed with, and the age of files is told by.</param>
    public static IUnderStore Create(UnderStoreOptions options, TimeSpan connectTimeout, int maxConnections, TimeProvider timeProvider)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(timeProvider);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxConnections, 1);
        return options.Kind == UnderStoreKind.Local
            ? new LocalUnderStore(options, maxConnections, timeProvider)
            : new S3UnderStore(options, connectTimeout, maxConnections, timeProvider);
    }
}
