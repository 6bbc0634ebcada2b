using System.Numerics;
using Forebay.Caching;
using Forebay.Core;

namespace Forebay.Cli.Configuration;

/// <summary>What single options cannot tell.</summary>
internal sealed partial class ConfigurationLoader
{
    private void CheckMounts()
    {
        if (_mounts.Count == 0 && !_faults.Any)
        {
            _faults.Add(Place.Outside(_input.File ?? "--mount"), $"there is no mount point; give --mount NAME=URL or a group \"mounts:\" (URL: {SourceUrl.Form}).");
        }

        foreach (MountDraft draft in _mounts)
        {
            string name = $"mounts.{Shorten(draft.Name)}";
            SourceAccess access = draft.Value.Access;
            if (!draft.SourceGiven)
            {
                _faults.Add(draft.Place, $"{name} has no source; give it \"source: {SourceUrl.Form}\".");
            }

            if (access.Endpoint is { } endpoint && !IsEndpoint(endpoint))
            {
                _faults.Add(draft.Place, $"{name}.endpoint must be a URL without path or credentials, such as https://minio.example:9000.");
            }

            if ((access.AccessKeyId is null) != (access.SecretAccessKey is null))
            {
                _faults.Add(draft.Place, $"{name} has one half of a key pair; give access-key-id and secret-access-key (or -file) together.");
            }

            if (access.SessionToken is not null && access.SecretAccessKey is null)
            {
                _faults.Add(draft.Place, $"{name} has a session token without a key pair; give access-key-id and secret-access-key too.");
            }

            if (access.Anonymous && (access.AccessKeyId is not null || access.Profile is not null))
            {
                _faults.Add(draft.Place, $"{name} is anonymous and has credentials; remove one of them.");
            }
            else if (access.AccessKeyId is not null && access.Profile is not null)
            {
                _faults.Add(draft.Place, $"{name} has a key pair and a profile; remove one of them.");
            }

            if (draft.Value.Source.Scheme is "file" && access != new SourceAccess())
            {
                _faults.Add(draft.Place, $"{name} is a directory; endpoint, region and credentials mean nothing there, remove them.");
            }
            else if (!_faults.Any && _input.CheckSource(draft.Value) is { } fault)
            {
                _faults.Add(draft.Place, $"{name}: {fault}");
            }
        }

        foreach (IGrouping<string, MountDraft> same in _mounts.GroupBy(draft => EnvironmentName.From(draft.Name), StringComparer.Ordinal).Where(group => group.Count() > 1))
        {
            string variables = $"FOREBAY_MOUNT_{same.Key}_";
            if (KnownOptions.Mount.Rows.Any(row => Variable(variables + EnvironmentName.From(row.Key)) is not null))
            {
                _faults.Add(Place.Outside(variables + "…"), $"this stands for several mount points ({string.Join(", ", same.Select(draft => Shorten(draft.Name)))}); put these options into the file.");
            }
        }
    }

    private static bool IsEndpoint(string endpoint)
        => Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? uri)
            && (uri.Scheme is "http" or "https")
            && uri.UserInfo.Length == 0
            && uri.PathAndQuery is "/";

    private void CheckTiers()
    {
        for (int i = 0; i < _tiers.Count; i++)
        {
            TierDraft draft = _tiers[i];
            TierOptions tier = draft.Value;
            if (tier.Directory.Length == 0)
            {
                _faults.Add(draft.Place, $"{draft.Name} has no directory; give it \"directory: /PATH\".");
            }

            // A quota that was given and refused has been reported where it stands.
            if (tier.QuotaBytes == 0 && !_faults.All.Any(fault => fault.What.Contains($"{draft.Name}.quota", StringComparison.Ordinal) || string.Equals(fault.Where, draft.Place.Where, StringComparison.Ordinal)))
            {
                _faults.Add(draft.Place, $"{draft.Name} has no quota; give it \"quota: 100Gi\".");
            }

            if (tier.LowWatermark >= tier.HighWatermark)
            {
                _faults.Add(draft.Place, $"{draft.Name}.low-watermark must lie below its high-watermark; usual are 0.90 and 0.95.");
            }

            if (!BitOperations.IsPow2(tier.PageSizeBytes))
            {
                _faults.Add(draft.Place, $"{draft.Name}.page-size must be a power of two, such as 256Ki.");
            }

            foreach (TierDraft earlier in _tiers.Take(i).Where(earlier => earlier.Value.Directory.Length > 0 && tier.Directory.Length > 0))
            {
                if (Contains(earlier.Value.Directory, tier.Directory) || Contains(tier.Directory, earlier.Value.Directory))
                {
                    _faults.Add(draft.Place, $"{draft.Name}.directory is, holds or lies in the directory of {earlier.Name}; give every tier a directory of its own.");
                }
            }
        }
    }

    private static bool Contains(string outer, string inner)
        => (inner.TrimEnd('/') + "/").StartsWith(outer.TrimEnd('/') + "/", StringComparison.Ordinal);

    private void CheckKeys()
    {
        HashSet<string> ids = new(StringComparer.Ordinal);
        foreach (KeyDraft draft in _keys)
        {
            KeyConfiguration key = draft.Value;
            if (key.AccessKeyId.Length == 0 || key.SecretAccessKey is null)
            {
                _faults.Add(draft.Place, draft.Place.Line > 0
                    ? $"{draft.Name} is one half of a key pair; give access-key-id and secret-access-key (or -file) together."
                    : "FOREBAY_ACCESS_KEY_ID and FOREBAY_SECRET_ACCESS_KEY (or FOREBAY_SECRET_ACCESS_KEY_FILE) belong together; one of them is missing.");
                continue;
            }

            if (!ids.Add(key.AccessKeyId))
            {
                _faults.Add(draft.Place, $"{draft.Name} has the access-key-id of another key; every key needs its own.");
            }

            foreach (string prefix in key.Prefixes)
            {
                string mount = prefix.TrimStart('/').Split('/')[0];
                if (mount.Length > 0 && !_mounts.Exists(known => string.Equals(known.Name, mount, StringComparison.Ordinal)))
                {
                    string? nearest = NearestName.Find(mount, _mounts.Select(known => known.Name));
                    _faults.Add(draft.Place, $"{draft.Name}.prefixes names the mount point \"{Shorten(mount)}\", which does not exist{(nearest is null ? "." : $"; did you mean \"{nearest}\"?")}");
                }
            }
        }
    }

    private void CheckEndpoints()
    {
        if ((_s3.TlsCertificate is null) != (_s3.TlsKey is null))
        {
            _faults.Add(_s3Place, "s3.tls-certificate and s3.tls-key belong together; one of them is missing.");
        }

        foreach (string? file in (string?[])[_s3.TlsCertificate, _s3.TlsKey])
        {
            if (file is not null && !File.Exists(file))
            {
                _faults.Add(_s3Place, $"{file} does not exist; s3.tls-certificate and s3.tls-key name PEM files.");
            }
        }

        if (_s3.Address == _admin.Address && _s3.Address.Port != 0)
        {
            _faults.Add(_s3Place, $"the S3 endpoint and the admin API cannot both listen on {_s3.Address}; give one of them another port.");
        }

        if (_s3.Anonymous && !_s3.Address.IsLoopback)
        {
            _faults.Warn(_s3Place, $"unsigned requests may read everything, from wherever {_s3.Address} can be reached.");
        }
    }

    private void CheckFill()
    {
        if (_fill.RetryBaseDelay > _fill.RetryMaxDelay)
        {
            _faults.Add(_fillPlace, "fill.retry-base-delay must not be longer than fill.retry-max-delay.");
        }

        if (_fill.MaxRangesPerReader > _fill.MaxConcurrentRanges)
        {
            _faults.Add(_fillPlace, "fill.max-ranges-per-reader must not be greater than fill.max-concurrent-ranges.");
        }

        foreach (TierDraft draft in _tiers)
        {
            if (draft.Value.PageSizeBytes > 0 && _fill.MaxRangeBytes % draft.Value.PageSizeBytes != 0)
            {
                _faults.Add(_fillPlace, $"fill.max-range-bytes ({ByteSize.Format(_fill.MaxRangeBytes)}) must be a multiple of {draft.Name}.page-size ({ByteSize.Format(draft.Value.PageSizeBytes)}).");
            }
        }
    }
}
