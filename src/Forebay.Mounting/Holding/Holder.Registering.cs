using Forebay.Core;
using Forebay.Fuse;
using Forebay.Mounting.Messages;
using Forebay.Mounting.Registry;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Holding;

/// <summary>
/// What others find a mount by: the lock of its directory, its entry, its socket. They belong to whoever is seen at the directory. Before the mount is made they must be
/// had; later they are had when that is possible: a runtime directory that is full or gone does not end a mount.
/// </summary>
internal sealed partial class Holder
{
    /// <summary>One that was just taken away, or killed, lets go in a moment.</summary>
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan InheritPatience = TimeSpan.FromSeconds(5);

    private SafeFileHandle? _lock;
    private MessageSocket? _listener;
    private (int Major, int Minor)? _place;
    private bool _isAway;
    private bool _isRegistered;
    private bool _isWarned;

    private void Take(MountDescription description)
    {
        _description = description;
        _log = new HolderLog(_error, _time, description.LogFile);
        _registry = new MountRegistry(description.RuntimeDirectory);
        _id = MountRegistry.IdOf(description.Directory);
    }

    /// <summary>For a mount to be made; one holder for a directory.</summary>
    /// <exception cref="ForebayException">A sentence with the remedy.</exception>
    private void Claim()
    {
        _registry.EnsureDirectory();
        if (!TryLock(LockPatience))
        {
            throw new ForebayException(ErrorKind.Unavailable, $"{_description.Directory} is mounted already, or just being mounted. 'forebay mount --list' shows it, 'forebay unmount {_description.Directory}' ends it.");
        }

        // What a killed mount of this directory left must not steer this one.
        _registry.Remove(_id);
        _listener = MessageSocket.Listen(_registry.FileOf(_id, "holder"));
    }

    /// <summary>For a mount that is there. Whose lock somebody else has is out of sight: that one is at the directory now.</summary>
    private void Inherit()
    {
        bool isOthers = false;
        try
        {
            _registry.EnsureDirectory();
            isOthers = !TryLock(InheritPatience);
            RegisteredMount? before = isOthers ? null : _registry.Last(_id);
            (_workerRespawns, _holderRespawns) = (before?.WorkerRespawns ?? 0, (before?.HolderRespawns ?? 0) + 1);
        }
        catch (Exception e) when (e is ForebayException or IOException or UnauthorizedAccessException)
        {
            WarnUnregistered(e);
        }

        IReadOnlyList<MountEntry>? mounts = MountsAtDirectory();
        _place = mounts?.LastOrDefault(static mount => mount.IsFuse)?.Device;
        if (isOthers || (mounts is not null && _place is null))
        {
            Leave();
            return;
        }

        Publish();
    }

    private bool TryLock(TimeSpan patience)
    {
        long started = _time.GetTimestamp();
        while ((_lock = _registry.TryLock(_id)) is null)
        {
            if (_time.GetElapsedTime(started) >= patience)
            {
                return false;
            }

            _signals.Wait(TimeSpan.FromMilliseconds(10));
        }

        return true;
    }

    /// <summary>Writes the entry, and has lock and socket again where they are lost. What fails is tried again at each tick.</summary>
    private void Publish()
    {
        _isRegistered = false;
        try
        {
            _registry.EnsureDirectory();
            if (_lock is null || !File.Exists(_registry.FileOf(_id, "lock")))
            {
                _lock?.Dispose();
                _lock = null;
                if (!TryLock(TimeSpan.Zero))
                {
                    return;
                }
            }

            if (_listener is null || !File.Exists(_registry.FileOf(_id, "holder")))
            {
                _listener?.Dispose();
                _listener = null;
                _listener = MessageSocket.Listen(_registry.FileOf(_id, "holder"));
            }

            _registry.Put(new RegisteredMount(_description.Source, _description.Directory, Environment.ProcessId, _current?.Id ?? 0, _passthrough)
            {
                Id = _id,
                Name = _description.Name,
                WorkerVersion = _current?.Version ?? "",
                WorkerRespawns = _workerRespawns,
                HolderRespawns = _holderRespawns,
            });
            _isRegistered = true;
            _isWarned = false;
        }
        catch (Exception e) when (e is ForebayException or IOException or UnauthorizedAccessException)
        {
            WarnUnregistered(e);
        }
    }

    private void WarnUnregistered(Exception error)
    {
        if (!_isWarned)
        {
            _isWarned = true;
            _log.Warn($"{_description} is served, but not registered; commands on it do not work until it is: {error.Message}");
        }
    }

    /// <summary>Something may have cleaned the runtime directory.</summary>
    private void CheckRegistration()
    {
        bool isWhole = _isRegistered && File.Exists(_registry.FileOf(_id, "mount")) && File.Exists(_registry.FileOf(_id, "holder")) && File.Exists(_registry.FileOf(_id, "lock"));
        if (_told && !isWhole)
        {
            Publish();
        }
    }

    /// <summary>
    /// The mount is out of sight and serves only those who have files open. Its directory may be mounted anew: lock, entry and sockets move to a place of their own,
    /// and so do those of the workers to come.
    /// </summary>
    private void Leave()
    {
        _log.Info($"{_description} is out of sight and ends with its last open file; the directory can be mounted again");
        if (_lock is not null)
        {
            Unregister();
        }

        _listener?.Dispose();
        _listener = null;
        _lock?.Dispose();
        _lock = null;

        // It was told of the place before.
        _isAway = true;
        EndStandby();
        _description = _description with { RuntimeDirectory = Path.Combine(_description.RuntimeDirectory, $"{_id}.away-{Environment.ProcessId}") };
        _registry = new MountRegistry(_description.RuntimeDirectory);
        Publish();
    }

    private void Unregister()
    {
        try
        {
            _registry.Remove(_id);
            if (_isAway)
            {
                Directory.Delete(_registry.Directory, recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It may be gone already.
        }
    }

    /// <summary>Lower ones first; null when it cannot be told.</summary>
    private IReadOnlyList<MountEntry>? MountsAtDirectory()
    {
        try
        {
            return _kernel.MountsAt(_description.Directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
