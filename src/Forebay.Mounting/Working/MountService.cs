using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Working;

/// <summary>
/// What a worker runs: an engine, a file system over it, and a session with the kernel. Made by the composition root; driven by <see cref="MountWorker"/>,
/// in the order of the members, each at most once.
/// </summary>
public abstract class MountService : IAsyncDisposable
{
    /// <summary>Makes ready what needs neither the cache's lock nor the source, so that taking over is quick. Called from any thread, also when it will never open.</summary>
    public virtual void WarmUp()
    {
    }

    /// <summary>Opens the engine.</summary>
    /// <param name="checkSource">Also see that the source can be read; false for a successor, which must not wait for it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A sentence to warn of what is mounted; null for none.</returns>
    /// <exception cref="ForebayException">A sentence with the remedy.</exception>
    public abstract Task<string?> OpenAsync(bool checkSource, CancellationToken cancellationToken);

    /// <summary>Starts to read requests of the kernel.</summary>
    /// <param name="device">The device; owned by the service from here on.</param>
    /// <param name="connection">What INIT negotiated, for a successor; null: answer INIT.</param>
    /// <param name="answered">To be called once, when a first request was answered.</param>
    /// <returns>Completes when INIT is negotiated.</returns>
    public abstract Task<MountServing> ServeAsync(SafeFileHandle device, byte[]? connection, Action answered);

    /// <summary>Completes when the kernel has ended the mount, or after <see cref="DrainAsync"/>. Valid after <see cref="ServeAsync"/>.</summary>
    public abstract Task Ended { get; }

    /// <summary>True when a request has waited longer than any may: nothing will answer it any more. Called from any thread, at any time.</summary>
    public virtual bool IsStuck => false;

    /// <summary>Stops reading requests and answers those at hand. Those that cannot be answered in bounded time are left to the successor.</summary>
    public abstract Task DrainAsync(CancellationToken cancellationToken);

    /// <summary>Lets everything go: the cache's lock is free when it returns.</summary>
    public abstract ValueTask DisposeAsync();
}

/// <summary>What was agreed with the kernel.</summary>
/// <param name="Connection">The result of INIT, for a successor of whichever version.</param>
/// <param name="Passthrough">Whole cached files can be handed to the kernel.</param>
public sealed record MountServing(byte[] Connection, bool Passthrough);

/// <summary>Makes the service of a mount.</summary>
/// <param name="description">The mount.</param>
/// <param name="memory">The shared memory, <see cref="MountDescription.RegionBytes"/> long; stays the caller's.</param>
public delegate MountService CreateMountService(MountDescription description, SafeFileHandle memory);
